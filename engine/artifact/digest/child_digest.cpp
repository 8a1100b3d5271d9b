#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "artifact/digest/content_digest.h"
#include "artifact/digest/file_digest.h"
#include "core/fault.h"

namespace ritzflow::artifact {
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

std::string joined_lines(const ContentScan& scan) {
  std::string text = scan.sha256;
  for (const auto& line : scan.not_finite) text += "\n" + line;
  return text;
}

ContentScan scan_of_lines(const std::string& text) {
  std::istringstream lines(text);
  ContentScan scan;
  std::getline(lines, scan.sha256);
  for (std::string line; std::getline(lines, line);) scan.not_finite.push_back(line);
  return scan;
}

// The answer on the pipe: the lines of a scan and '+', or the error and '-'.
std::string answer(const std::string& path) {
  try {
    const Handle file = open_hdf5(path);
    const ContentScan scan = scan_content({file.get(), path, std::filesystem::file_size(path)});
    return joined_lines(scan) + "+";
  } catch (const std::bad_alloc&) {
    return path + ": needs far more memory than its size justifies, it is damaged-";
  } catch (const std::exception& error) {
    return described(error).text + "-";
  }
}

[[noreturn]] void run_child(int pipe, const std::string& path) {
  std::error_code unknown;
  const auto bytes = std::filesystem::file_size(path, unknown);
  confine(unknown ? 0 : bytes);
  const std::string text = answer(path);
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t now = ::write(pipe, text.data() + sent, text.size() - sent);
    if (now < 0) ::_exit(1);
    sent += static_cast<std::size_t>(now);
  }
  ::_exit(0);
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

ScanInChild::ScanInChild(const std::filesystem::path& path) : path_(path.string()) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw IoError(path_ + ": no pipe to check it: " + std::strerror(errno));
  child_ = ::fork();
  if (child_ == 0) run_child(ends[1], path_);
  const int reason = errno;
  ::close(ends[1]);
  pipe_ = ends[0];
  if (child_ > 0) return;
  ::close(pipe_);
  throw IoError(path_ + ": no process to check it: " + std::strerror(reason));
}

ScanInChild::~ScanInChild() {
  ::close(pipe_);
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  wait_for(child_);
}

ContentScan ScanInChild::result() {
  std::string text = read_all(pipe_);
  wait_for(child_);
  child_ = -1;
  if (text.empty())
    throw InputError(path_ + ": is damaged: libhdf5 crashes or never ends while it reads the file");
  const bool failed = text.back() == '-';
  text.pop_back();
  if (failed) throw InputError(text);
  return scan_of_lines(text);
}

}  // namespace ritzflow::artifact
