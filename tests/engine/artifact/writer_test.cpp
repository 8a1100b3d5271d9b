#include <signal.h>
#include <sys/resource.h>

#include <iostream>

#include "fixture.h"

namespace ritzflow::artifact {
namespace {

using Writer = ArtifactTest;

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST_F(Writer, TwoIdenticalWritesGiveTheSameBytes) {
  std::filesystem::create_directories(folder_ / "a");
  std::filesystem::create_directories(folder_ / "b");
  const std::string first = write_lanczos(file("a/x.h5"));
  EXPECT_EQ(first, write_lanczos(file("b/x.h5")));
  EXPECT_EQ(bytes_of(file("a/x.h5")), bytes_of(file("b/x.h5")));
  EXPECT_GT(bytes_of(file("a/x.h5")).size(), 1000u);
}

TEST_F(Writer, NothingUnderTheFinalNameBeforeCommit) {
  ArtifactWriter writer(file("x.h5"), "ritzflow-lanczos");
  fill_lanczos(writer);
  EXPECT_FALSE(std::filesystem::exists(file("x.h5")));
  EXPECT_TRUE(std::filesystem::exists(file("x.h5.part." + std::to_string(getpid()))));
  writer.commit();
  EXPECT_TRUE(std::filesystem::exists(file("x.h5")));
  EXPECT_EQ(files_in(folder_), 1u);
}

TEST_F(Writer, WithoutCommitNoFileIsLeft) {
  {
    ArtifactWriter(file("x.h5"), "ritzflow-lanczos").attribute("k", 3);
  }
  EXPECT_EQ(files_in(folder_), 0u);
}

TEST_F(Writer, AFailedRunKeepsTheOldFile) {
  put_bytes(file("x.h5"), "old");
  {
    ArtifactWriter(file("x.h5"), "ritzflow-lanczos").attribute("k", 3);
  }
  EXPECT_EQ(bytes_of(file("x.h5")), "old");
}

TEST_F(Writer, AFileThatItsSchemaRefusesIsNotPublished) {
  ArtifactWriter writer(file("x.h5"), "ritzflow-lanczos");
  EXPECT_THROW(writer.commit(), std::logic_error);
  EXPECT_EQ(files_in(folder_), 0u);
}

TEST_F(Writer, AStreamThatIsNotFullIsNotPublished) {
  ArtifactWriter writer(file("x.h5"), "ritzflow-lanczos");
  fill_lanczos(writer);
  auto rows = writer.rows<double>("more", 2, 3);
  EXPECT_THROW(rows.append(std::vector<double>{1, 2}), std::logic_error);
  rows.append(std::vector<double>{1, 2, 3});
  EXPECT_THROW(writer.commit(), std::logic_error);
  EXPECT_EQ(files_in(folder_), 0u);
}

TEST_F(Writer, ShapeAndValuesMustAgree) {
  ArtifactWriter writer(file("x.h5"), "ritzflow-lanczos");
  EXPECT_THROW(writer.dataset("alpha", std::vector<double>{1, 2, 3}, {2, 2}), std::logic_error);
}

TEST_F(Writer, AnUnwritableFolderIsAnIoErrorWithTheReason) {
  try {
    ArtifactWriter writer(file("no/such/x.h5"), "ritzflow-lanczos");
    FAIL() << "expected an IoError";
  } catch (const IoError& error) {
    EXPECT_EQ(std::string(error.what()), file("no/such/x.h5").string() + ": cannot be created in " +
                                             file("no/such").string() + ": No such file or directory");
  }
  EXPECT_THROW(ArtifactWriter(folder_, "ritzflow-lanczos"), IoError);
  put_bytes(file("plain"), "");
  EXPECT_THROW(ArtifactWriter(file("plain/x.h5"), "ritzflow-lanczos"), IoError);
}

// Writes under a limit on file sizes and reports as a stage would; the exit status also proves that libhdf5
// survives its own clean-up.
[[noreturn]] void write_under_limit(const std::filesystem::path& path, rlim_t bytes, std::int64_t cols) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  setrlimit(RLIMIT_FSIZE, &limit);
  try {
    ArtifactWriter writer(path, "ritzflow-lanczos");
    fill_lanczos(writer);
    auto rows = writer.rows<double>("wide", 4, cols);
    for (int i = 0; i < 4; ++i) rows.append(std::vector<double>(static_cast<std::size_t>(cols), 1.0));
    writer.commit();
  } catch (const IoError& error) {
    std::cerr << error.what() << std::endl;
    std::exit(1);
  }
  std::exit(0);
}

TEST_F(Writer, AFullDiskIsAnIoErrorAndLeavesNothing) {
  for (const std::int64_t cols : {10, 1000, 100000})
    for (const rlim_t limit : {600, 1200, 3000, 5000, 7000, 9000}) {
      EXPECT_EXIT(write_under_limit(file("x.h5"), limit, cols), testing::ExitedWithCode(1),
                  "x.h5: .*File too large");
      EXPECT_EQ(files_in(folder_), 0u) << "limit " << limit << ", cols " << cols;
    }
}

TEST_F(Writer, ContentDigestIgnoresProvenanceAndTheOrderOfWriting) {
  const std::string first = write_lanczos(file("a.h5"), "here");
  EXPECT_EQ(write_lanczos(file("b.h5"), "there"), first);
  EXPECT_NE(bytes_of(file("a.h5")), bytes_of(file("b.h5")));
  const auto write = [&](const std::string& name, bool swapped, double value) {
    ArtifactWriter writer(file(name), "ritzflow-lanczos");
    if (swapped) writer.dataset("y", std::vector<double>{2});
    writer.dataset("x", std::vector<double>{value});
    if (!swapped) writer.dataset("y", std::vector<double>{2});
    fill_lanczos(writer);
    return writer.commit();
  };
  EXPECT_EQ(write("c.h5", false, 1), write("d.h5", true, 1));
  EXPECT_NE(write("e.h5", false, 1), write("f.h5", false, std::nextafter(1.0, 2.0)));
}

}  // namespace
}  // namespace ritzflow::artifact
