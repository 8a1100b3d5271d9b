#include "app/provenance.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <openssl/crypto.h>
#include <sys/resource.h>
#include <tbb/version.h>
#include <unistd.h>

#include <Eigen/Core>
#include <ctime>
#include <fstream>
#include <string>

#include "artifact/hdf5/handle.h"
#include "ritzflow_version.h"

namespace ritzflow::app {
namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// The libraries that this process runs with; LibTorch only where the stage has loaded it.
nlohmann::json library_versions() {
  unsigned major = 0, minor = 0, release = 0;
  artifact::prepare_hdf5();  // before any other call of it
  H5get_libversion(&major, &minor, &release);
  nlohmann::json versions = {
      {"hdf5", fmt::format("{}.{}.{}", major, minor, release)},
      {"tbb", TBB_runtime_version()},
      {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
      {"eigen", fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION)}};
  if (dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD) != nullptr)
    versions["libtorch"] = RITZFLOW_LIBTORCH_VERSION;
  return versions;
}

// A command line that a shell takes back.
std::string shell_quoted(const std::string& word) {
  const bool plain = word.find_first_of(" \t\n'\"\\$`*?[]{}()<>|&;!#~") == std::string::npos;
  if (plain && !word.empty()) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

nlohmann::json run_facts(int argc, const char* const* argv, int threads) {
  std::string command;
  for (int i = 0; i < argc; ++i) command += (i > 0 ? " " : "") + shell_quoted(argv[i]);
  return {{"command", command},        {"program_version", RITZFLOW_VERSION},
          {"commit", RITZFLOW_COMMIT}, {"dirty", RITZFLOW_DIRTY},
          {"compiler", __VERSION__},   {"cpu", cpu_model()},
          {"host", host_name()},       {"threads", threads},
          {"started", utc_now()},      {"libraries", library_versions()}};
}

}  // namespace ritzflow::app
