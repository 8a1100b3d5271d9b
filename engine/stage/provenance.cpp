#include "stage/provenance.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <string>

#include "ritzflow_version.h"

namespace ritzflow {
namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

nlohmann::json run_facts(int argc, const char* const* argv, int threads) {
  std::string command = argc > 0 ? argv[0] : "";
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  return {{"command", command},        {"program_version", RITZFLOW_VERSION},
          {"commit", RITZFLOW_COMMIT}, {"dirty", RITZFLOW_DIRTY},
          {"compiler", __VERSION__},   {"cpu", cpu_model()},
          {"host", host_name()},       {"threads", threads},
          {"started", utc_now()}};
}

}  // namespace ritzflow
