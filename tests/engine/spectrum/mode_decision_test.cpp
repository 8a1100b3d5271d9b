#include "spectrum/mode_decision.h"

#include <fstream>

#include "checkpoint/manifest.h"
#include "core/error.h"
#include "stage_testing.h"

namespace ritzflow::spectrum {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int64_t kDimension = 1000, kRow = kDimension * 8;

class ModeDecisions : public StageTest {
 protected:
  checkpoint::SegmentFolder open(int seed = 0) { return {folder_ / "root", "lanczos", {{"seed", seed}}, 0s}; }

  /// What a process that starts with room for so many vectors runs.
  static ModeChoice started(checkpoint::SegmentFolder& segments, int64_t rows_of_memory,
                            BasisPlace basis = BasisPlace::ram, ReorthMode mode = ReorthMode::automatic) {
    const LanczosSettings settings = {.k = 5, .max_iters = 200, .tol = 1e-8, .reorth_mode = mode};
    return choose_mode_once(
        settings, {.n = kDimension, .memory = rows_of_memory * kRow, .basis = basis, .disk = 1 << 30},
        &segments);
  }
  ModeChoice started(int64_t rows_of_memory, BasisPlace basis = BasisPlace::ram) {
    checkpoint::SegmentFolder segments = open();
    return started(segments, rows_of_memory, basis);
  }
  fs::path decision() { return open().folder() / checkpoint::kDecision; }

  static void write(checkpoint::SegmentFolder& segments, int64_t number) {
    segments.write(number, "ritzflow-products", [&](artifact::ArtifactWriter& file) {
      file.attribute("first_product", int64_t{0});
      file.strings("vectors_sha256", {});
      file.dataset("products", std::vector<double>{}, {0, kDimension});
    });
  }
  static int64_t count(const checkpoint::SegmentFolder& segments) {
    int64_t found = 0;
    segments.read("ritzflow-products", [&](const artifact::ArtifactReader&) { ++found; });
    return found;
  }
};

int64_t vectors(const ModeChoice& choice) { return std::get<krylov::ThickRestart>(choice.mode).krylov_dim; }

TEST_F(ModeDecisions, AutoStaysWithTheDecisionOfTheFirstStartWhateverMemoryIsFreeLater) {
  const ModeChoice first = started(40);
  EXPECT_EQ(vectors(first), 37);
  for (const int64_t rows : {41, 400}) {
    const ModeChoice later = started(rows);
    EXPECT_EQ(vectors(later), 37);
    EXPECT_EQ(later.reason, first.reason);
  }
}

TEST_F(ModeDecisions, FullStaysFullAndItsVectorsGoToTheDiskOfTheDay) {
  EXPECT_FALSE(started(400, BasisPlace::automatic).on_disk);
  const ModeChoice later = started(40, BasisPlace::automatic);
  EXPECT_TRUE(std::holds_alternative<krylov::Full>(later.mode));
  EXPECT_TRUE(later.on_disk);
}

TEST_F(ModeDecisions, DamagedOneOrOneOfAnotherRunIsDecidedAnew) {
  started(40);
  const fs::path other = folder_ / "other.json";
  {
    checkpoint::SegmentFolder segments = open(1);
    started(segments, 60);
    fs::copy(segments.folder() / checkpoint::kDecision, other);
  }
  std::string whole(fs::file_size(decision()), ' ');
  std::ifstream(decision()).read(whole.data(), static_cast<std::streamsize>(whole.size()));
  std::string flipped = whole;
  flipped.replace(flipped.find("37"), 2, "39");
  for (const std::string& damaged : {flipped, whole.substr(0, whole.size() / 2), std::string("[37]")}) {
    std::ofstream(decision()) << damaged;
    EXPECT_EQ(vectors(started(41)), 38) << damaged;
  }
  fs::copy(other, decision(), fs::copy_options::overwrite_existing);
  EXPECT_EQ(vectors(started(41)), 38);
  EXPECT_EQ(vectors(started(60)), 38);  // what was decided anew is kept
}

TEST_F(ModeDecisions, SegmentsOfAnotherDecisionAreNeverRead) {
  {
    checkpoint::SegmentFolder segments = open();
    started(segments, 40);
    write(segments, 1);
    EXPECT_EQ(count(segments), 1);
  }
  fs::remove(decision());
  checkpoint::SegmentFolder segments = open();
  started(segments, 41);
  EXPECT_EQ(count(segments), 0);
}

TEST_F(ModeDecisions, NamedModeLeavesNoneAndItsSegmentsHaveTheIdentityAlone) {
  checkpoint::SegmentFolder segments = open();
  write(segments, 1);
  EXPECT_EQ(started(segments, 400, BasisPlace::ram, ReorthMode::full).reason, "requested");
  EXPECT_FALSE(fs::exists(segments.folder() / checkpoint::kDecision));
  EXPECT_EQ(count(segments), 1);
}

TEST_F(ModeDecisions, RefusedRunDecidesNothingAndLeavesNoFolder) {
  checkpoint::SegmentFolder segments = open();
  EXPECT_THROW(started(segments, 8), Refusal);
  EXPECT_FALSE(fs::exists(segments.folder() / checkpoint::kDecision));
  segments.leave_unused();
  EXPECT_FALSE(fs::exists(folder_ / "root"));
}

TEST_F(ModeDecisions, FolderThatHoldsASegmentIsNeverLeft) {
  checkpoint::SegmentFolder segments = open();
  started(segments, 40);
  write(segments, 1);
  segments.leave_unused();
  EXPECT_EQ(count(segments), 1);
  EXPECT_TRUE(fs::exists(segments.folder() / checkpoint::kDecision));
}

TEST(ResolvedSettings, NameTheVectorsOfAModeThatIsNamedAndLeaveAutoAsItIs) {
  const auto dim = [](ReorthMode mode) {
    return resolved({.k = 5, .reorth_mode = mode}, 1000, 0).krylov_dim;
  };
  EXPECT_EQ(dim(ReorthMode::thick_restart), 35);
  EXPECT_EQ(dim(ReorthMode::full), 0);
  EXPECT_EQ(dim(ReorthMode::automatic), 0);
}

}  // namespace
}  // namespace ritzflow::spectrum
