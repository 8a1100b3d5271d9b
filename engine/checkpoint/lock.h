#pragma once
#include <filesystem>

namespace ritzflow::checkpoint {

/// Exclusive use of a folder for the life of the object, by flock on `<folder>/lock`: released by the system
/// even when the process is killed. Makes the folder. Throws IoError where it cannot, Error (exit 1) naming
/// the process that holds it where another one does.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace ritzflow::checkpoint
