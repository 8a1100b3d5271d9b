#include "curvature/operator_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow {

const std::vector<std::string>& operator_kinds() {
  static const std::vector<std::string> kinds = {"hessian", "ggn",   "mc_fisher", "empirical_fisher",
                                                 "kfac",    "ekfac", "matrix"};
  return kinds;
}

void require_one_of(const std::string& flag, const std::string& value,
                    const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  throw InputError(fmt::format("{} is '{}', expected one of {}{}", flag, value, fmt::join(choices, ", "),
                               did_you_mean(value, choices)));
}

int64_t host_memory_needed(const OperatorSettings& settings, int64_t n) {
  if (settings.device == "cpu" || settings.memory_needed == 0) return settings.memory_needed;
  return 2 * n * int64_t{sizeof(double)};
}

void require_digest(const std::filesystem::path& file, const std::string& actual,
                    const std::string& expected) {
  if (expected.empty() || actual == expected) return;
  throw InputError(
      fmt::format("{}: its contents changed since the operator was built (digest {}..., expected {}...); "
                  "run build-operator again",
                  file.string(), actual.substr(0, 12), expected.substr(0, 12)));
}

}  // namespace ritzflow
