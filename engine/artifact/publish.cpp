#include "artifact/publish.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/error.h"

namespace ritzflow::artifact {
namespace {

[[noreturn]] void fail(const std::filesystem::path& out, const std::string& what) {
  throw IoError(out.string() + ": " + what + ": " + std::strerror(errno));
}

// fsync may return EINVAL for a folder on a file system that has none; no data are lost by it.
void sync(const std::filesystem::path& path, int flags, const std::filesystem::path& out) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) fail(out, "cannot be opened for fsync");
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL;
  const int reason = errno;
  ::close(fd);
  errno = reason;
  if (!synced) fail(out, "fsync failed");
}

std::filesystem::path folder_of(const std::filesystem::path& out) {
  return out.has_parent_path() ? out.parent_path() : std::filesystem::path(".");
}

}  // namespace

std::filesystem::path part_path(const std::filesystem::path& out) {
  return out.string() + ".part." + std::to_string(::getpid());
}

void check_writable(const std::filesystem::path& out, const std::filesystem::path& part) {
  if (std::filesystem::is_directory(out)) throw IoError(out.string() + ": is a folder, expected a file name");
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) fail(out, "cannot be created in " + folder_of(out).string());
  ::close(fd);
}

void publish(const std::filesystem::path& part, const std::filesystem::path& out) {
  sync(part, O_RDONLY, out);
  if (::rename(part.c_str(), out.c_str()) != 0) fail(out, "cannot be put in place");
  sync(folder_of(out), O_RDONLY | O_DIRECTORY, out);
}

void remove_file(const std::filesystem::path& path) noexcept {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

}  // namespace ritzflow::artifact
