#include "checkpoint/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/error.h"

namespace ritzflow::checkpoint {
namespace {

std::string holder(int descriptor) {
  char text[32] = {};
  const auto length = pread(descriptor, text, sizeof text - 1, 0);
  return length > 0 ? "process " + std::string(text) : "another process";
}

// A run that ended may remove folders on the way at this moment: try_lock() finds out.
void make_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed && failed != std::errc::no_such_file_or_directory)
    throw IoError(folder.string() + ": cannot make the folder: " + failed.message());
}

// Whether the file that is open is still the one of this name: a run that ended may have removed it.
bool in_place(int descriptor, const std::filesystem::path& path) {
  struct stat open_file{}, named{};
  return fstat(descriptor, &open_file) == 0 && stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

// The locked file, or -1 where another run removed the folder or the file at this moment.
int try_lock(const std::filesystem::path& folder) {
  make_folder(folder);
  const auto path = folder / "lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0 && errno == ENOENT) return -1;
  if (descriptor < 0) throw IoError(path.string() + ": " + std::strerror(errno));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const std::string who = holder(descriptor);
    close(descriptor);
    throw Error(ExitCode::failure,
                folder.string() + ": " + who + " is at work on this checkpoint; wait for it or stop it");
  }
  if (in_place(descriptor, path)) return descriptor;
  close(descriptor);
  return -1;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : descriptor_(try_lock(folder)) {
  for (int attempt = 0; descriptor_ < 0 && attempt < 100; ++attempt) descriptor_ = try_lock(folder);
  if (descriptor_ < 0) throw IoError(folder.string() + ": other runs remove the folder again and again");
  const std::string me = std::to_string(getpid());
  if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, me.data(), me.size(), 0) < 0) {
    const int reason = errno;
    close(descriptor_);
    throw IoError((folder / "lock").string() + ": " + std::strerror(reason));
  }
}

FolderLock::~FolderLock() { close(descriptor_); }

}  // namespace ritzflow::checkpoint
