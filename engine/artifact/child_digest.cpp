#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "artifact/content_digest.h"
#include "artifact/file_digest.h"
#include "core/error.h"

namespace ritzflow {
namespace {

constexpr rlim_t kExtraMemory = rlim_t{4} << 30;
constexpr std::uint64_t kSlowestBytesPerSecond = 20'000'000;

rlim_t address_space_in_use() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  return statm >> pages ? pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

void limit(int resource, rlim_t soft) {
  rlimit bounds{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &bounds) != 0) return;
  bounds.rlim_cur = std::min(soft, bounds.rlim_max);
  ::setrlimit(static_cast<__rlimit_resource>(resource), &bounds);
}

// A crash shall leave no core file, no text of glibc on stderr; a damaged size no memory; a damaged link no
// endless loop.
void confine(std::uint64_t file_bytes) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGALRM}) ::signal(signal, SIG_DFL);
  limit(RLIMIT_CORE, 0);
  if (const rlim_t used = address_space_in_use(); used > 0) limit(RLIMIT_AS, used + kExtraMemory);
  const int null = ::open("/dev/null", O_WRONLY);
  if (null >= 0) ::dup2(null, STDERR_FILENO);
  ::alarm(static_cast<unsigned>(60 + file_bytes / kSlowestBytesPerSecond));
}

// The answer on the pipe: the digest and '+', or the error and '-'.
std::string answer(const std::string& path) {
  try {
    const Handle file = open_hdf5(path);
    return content_digest({file.get(), path, std::filesystem::file_size(path)}) + "+";
  } catch (const std::bad_alloc&) {
    return path + ": needs far more memory than its size justifies, it is damaged-";
  } catch (const std::exception& error) {
    return std::string(error.what()) + "-";
  }
}

[[noreturn]] void run_child(int pipe, const std::string& path) {
  confine(std::filesystem::file_size(path));
  const std::string text = answer(path);
  const bool sent = ::write(pipe, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(sent ? 0 : 1);
}

std::string read_all(int pipe) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(pipe, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

void wait_for(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::string content_digest_in_child(const std::string& path) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw IoError(path + ": no pipe to check it: " + std::strerror(errno));
  const pid_t child = ::fork();
  if (child == 0) run_child(ends[1], path);
  ::close(ends[1]);
  std::string text = child < 0 ? "" : read_all(ends[0]);
  ::close(ends[0]);
  if (child < 0) throw IoError(path + ": no process to check it: " + std::strerror(errno));
  wait_for(child);
  if (text.empty())
    throw InputError(path + ": is damaged: libhdf5 crashes or never ends while it reads the file");
  const bool failed = text.back() == '-';
  text.pop_back();
  if (failed) throw InputError(text);
  return text;
}

}  // namespace ritzflow
