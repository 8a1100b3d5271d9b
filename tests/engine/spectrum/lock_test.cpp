#include "checkpoint/lock.h"

#include <fstream>

#include "core/error.h"
#include "stage_testing.h"

namespace ritzflow::spectrum {
namespace {

using Lock = StageTest;

TEST_F(Lock, SecondHolderIsRefusedWithTheProcessOfTheFirst) {
  const checkpoint::FolderLock held(folder_ / "checkpoint");
  try {
    const checkpoint::FolderLock second(folder_ / "checkpoint");
    FAIL() << "two locks on one folder";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failure);
    const std::string text = error.what();
    EXPECT_NE(text.find("process " + std::to_string(getpid())), std::string::npos) << text;
    EXPECT_NE(text.find((folder_ / "checkpoint").string()), std::string::npos) << text;
  }
}

TEST_F(Lock, FolderIsFreeAgainBehindItsHolder) {
  {
    const checkpoint::FolderLock first(folder_);
  }
  EXPECT_NO_THROW(const checkpoint::FolderLock second(folder_));
}

TEST_F(Lock, FolderThatCannotBeMadeIsAnIoErrorThatNamesIt) {
  std::ofstream(folder_ / "file") << "no folder";
  try {
    const checkpoint::FolderLock lock(folder_ / "file" / "checkpoint");
    FAIL() << "a folder below a file";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find((folder_ / "file" / "checkpoint").string()), std::string::npos);
  }
}

}  // namespace
}  // namespace ritzflow::spectrum
