#include "krylov/basis/row_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/error.h"

namespace ritzflow::krylov {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw IoError(path.string() + ": Lanczos vectors on disk " + what);
}

std::string reason() { return std::string(": ") + std::strerror(errno); }

}  // namespace

RowFile::RowFile(const std::filesystem::path& path, int flags)
    : path_(path), descriptor_(::open(path.c_str(), flags | O_RDWR | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail(path, "cannot be opened" + reason());
}

std::unique_ptr<RowFile> RowFile::create(const std::filesystem::path& path) {
  return std::unique_ptr<RowFile>(new RowFile(path, O_CREAT | O_EXCL));
}

std::unique_ptr<RowFile> RowFile::create_unnamed(const std::filesystem::path& path) {
  auto file = std::unique_ptr<RowFile>(new RowFile(path, O_CREAT | O_TRUNC));
  ::unlink(path.c_str());
  file->removed_at_end_ = false;
  return file;
}

std::unique_ptr<RowFile> RowFile::open(const std::filesystem::path& path) {
  auto file = std::unique_ptr<RowFile>(new RowFile(path, 0));
  file->removed_at_end_ = false;
  return file;
}

RowFile::~RowFile() {
  if (removed_at_end_) ::unlink(path_.c_str());
  ::close(descriptor_);
}

void RowFile::write(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) fail(path_, "cannot be written" + reason());
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += done;
  }
}

void RowFile::read(int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t done = ::pread(descriptor_, bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path_, "cannot be read" + reason());
    if (done == 0) fail(path_, "end early: the file was cut");
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += done;
  }
}

void RowFile::will_need(int64_t offset, int64_t size) const {
  ::posix_fadvise(descriptor_, offset, size, POSIX_FADV_WILLNEED);
}

void RowFile::keep() {
  if (::fsync(descriptor_) != 0) fail(path_, "cannot be synced" + reason());
  removed_at_end_ = false;
}

}  // namespace ritzflow::krylov
