#include "stage/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/error.h"

namespace ritzflow {
namespace {

std::string holder(int descriptor) {
  char text[32] = {};
  const auto length = pread(descriptor, text, sizeof text - 1, 0);
  return length > 0 ? "process " + std::string(text) : "another process";
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw IoError(folder.string() + ": cannot make the folder: " + failed.message());
  const auto path = folder / "lock";
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw IoError(path.string() + ": " + std::strerror(errno));
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const std::string who = holder(descriptor_);
    close(descriptor_);
    throw Error(ExitCode::failure,
                folder.string() + ": " + who + " is at work on this checkpoint; wait for it or stop it");
  }
  const std::string me = std::to_string(getpid());
  if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, me.data(), me.size(), 0) < 0) {
    close(descriptor_);
    throw IoError(path.string() + ": " + std::strerror(errno));
  }
}

FolderLock::~FolderLock() { close(descriptor_); }

}  // namespace ritzflow
