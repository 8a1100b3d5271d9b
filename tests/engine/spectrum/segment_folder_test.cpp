#include "checkpoint/segment_folder.h"

#include <fstream>

#include "checkpoint/manifest.h"
#include "core/error.h"
#include "stage_testing.h"

namespace ritzflow::spectrum {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class Segments : public StageTest {
 protected:
  checkpoint::SegmentFolder open(int seed = 0, std::chrono::duration<double> interval = 0s) {
    return {folder_ / "root", "lanczos", {{"seed", seed}, {"tol", 1e-6}}, interval};
  }
  /// A segment that holds its number as `products`.
  static void write(checkpoint::SegmentFolder& folder, int64_t number) {
    folder.write(number, "ritzflow-checkpoint", [&](artifact::ArtifactWriter& file) {
      file.attribute("begins_chain", true);
      file.attribute("first_row", int64_t{0});
      file.attribute("products", number);
      file.attribute("norm_estimate", 1.0);
      file.attribute("exhausted", false);
      for (const char* name : {"beta", "columns", "spike", "residual_vector"})
        file.dataset(name, std::vector<double>{});
      file.contiguous_rows<double>("rows", 0, 0);
    });
  }
  static std::vector<int64_t> numbers(const checkpoint::SegmentFolder& folder) {
    std::vector<int64_t> all;
    folder.read("ritzflow-checkpoint", [&](const artifact::ArtifactReader& file) {
      all.push_back(file.attribute<int64_t>("products"));
    });
    return all;
  }
  fs::path artifact() {
    const fs::path path = folder_ / "artifact.h5";
    artifact::ArtifactWriter file(path, "ritzflow-density");
    for (const char* name : {"grid", "density", "cdf", "cdf_lower", "cdf_upper"})
      file.dataset(name, std::vector<double>{0});
    for (const char* name :
         {"negative_fraction", "negative_mass", "negative_mass_lower", "negative_mass_upper"})
      file.attribute(name, 0.0);
    file.commit();
    return path;
  }
};

using Numbers = std::vector<int64_t>;

TEST_F(Segments, ComeBackInTheOrderOfTheirNumbers) {
  checkpoint::SegmentFolder folder = open();
  for (const int64_t number : {10, 2, 33}) write(folder, number);
  EXPECT_EQ(numbers(folder), (Numbers{2, 10, 33}));
}

TEST_F(Segments, OneThatTheTakerRefusesIsPassedOver) {
  checkpoint::SegmentFolder folder = open();
  for (const int64_t number : {1, 2, 3}) write(folder, number);
  Numbers taken;
  folder.read("ritzflow-checkpoint", [&](const artifact::ArtifactReader& file) {
    if (file.attribute<int64_t>("products") == 2) throw InputError("not this one");
    taken.push_back(file.attribute<int64_t>("products"));
  });
  EXPECT_EQ(taken, (Numbers{1, 3}));
}

TEST_F(Segments, SegmentOfAnotherIdentityIsNeverRead) {
  checkpoint::SegmentFolder mine = open(0), other = open(1);
  write(other, 7);
  fs::copy(other.folder() / "checkpoint-00000007.h5", mine.folder());
  EXPECT_EQ(numbers(mine), Numbers{});
}

TEST_F(Segments, PruningKeepsTheNewest) {
  checkpoint::SegmentFolder folder = open();
  for (const int64_t number : {1, 2, 3, 4}) write(folder, number);
  folder.remove_below(2, "ritzflow-checkpoint");
  EXPECT_EQ(numbers(folder), (Numbers{2, 3, 4}));
  folder.keep_newest(2, "ritzflow-checkpoint");
  EXPECT_EQ(numbers(folder), (Numbers{3, 4}));
}

TEST_F(Segments, IntervalGrowsUntilWritingTakesTwoPercentOfIt) {
  checkpoint::SegmentFolder folder = open();
  EXPECT_TRUE(folder.due());
  write(folder, 1);
  EXPECT_FALSE(folder.due());
}

TEST_F(Segments, AttemptsAreCountedOverProcessesAndATornLineIsNone) {
  open();
  std::ofstream(open().folder() / "attempts.jsonl", std::ios::app) << "{\"started\": \"20\n";
  const auto attempts = open().attempts();
  ASSERT_EQ(attempts.size(), 3U);  // the one that appended the torn line, too
  EXPECT_EQ(attempts[2].at("pid"), getpid());
}

TEST_F(Segments, RetireTakesAllThatRunsLeftAndNothingElse) {
  checkpoint::SegmentFolder folder = open();
  write(folder, 1);
  std::ofstream(folder.folder() / "checkpoint-00000002.h5.part.4194304") << "half a segment";
  folder.retire(artifact());
  EXPECT_FALSE(fs::exists(folder_ / "root"));
  checkpoint::SegmentFolder second = open();
  std::ofstream(folder_ / "root" / "notes.txt") << "mine";
  second.retire(artifact());
  EXPECT_TRUE(fs::exists(folder_ / "root" / "notes.txt"));
}

TEST_F(Segments, FoldersOnTheWayToARelativeRootGoWithItAndThoseOfAnotherStay) {
  const fs::path artifact_path = artifact(), before = fs::current_path();
  fs::current_path(folder_);
  for (const fs::path& root : {fs::path("a/b/c"), folder_ / "d" / "e"})
    checkpoint::SegmentFolder(root, "lanczos", {{"seed", 0}}, 0s).retire(artifact_path);
  fs::current_path(before);
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  EXPECT_TRUE(fs::is_empty(folder_ / "d"));
}

TEST_F(Segments, DamagedArtifactKeepsTheSegments) {
  checkpoint::SegmentFolder folder = open();
  write(folder, 1);
  const auto out = artifact();
  fs::resize_file(out, fs::file_size(out) - 1);
  EXPECT_THROW(folder.retire(out), InputError);
  EXPECT_EQ(numbers(folder), Numbers{1});
}

TEST_F(Segments, HalfWrittenOnesOfKilledProcessesAreClearedAtTheStart) {
  const fs::path part = open().folder() / "checkpoint-00000002.h5.part.4194304";
  std::ofstream(part) << "half a segment";
  open();
  EXPECT_FALSE(fs::exists(part));
}

TEST(Manifest, DifferencesNameTheFieldAndBothValues) {
  EXPECT_EQ(checkpoint::differences({{"seed", 0}, {"tol", 1e-6}, {"k", 3}}, {{"seed", 1}, {"tol", 1e-6}}),
            (std::vector<std::string>{"k is 3 here and absent there", "seed is 0 here and 1 there"}));
}

}  // namespace
}  // namespace ritzflow::spectrum
