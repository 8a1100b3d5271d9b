#include "curvature/flag_kinds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "core/error.h"
#include "curvature/operator_settings.h"

namespace ritzflow {
namespace {

using Kinds = std::vector<std::string>;

const Kinds of_networks = {"hessian", "ggn", "mc_fisher", "empirical_fisher", "kfac", "ekfac"};
const Kinds kronecker = {"kfac", "ekfac"};
const Kinds by_products = {"hessian", "ggn", "mc_fisher", "empirical_fisher"};

// Flags of some kinds alone. The rest cost time or memory, round, or belong to the file and are for every
// kind.
const std::map<std::string, Kinds> kinds_of_flag = {
    {"--data", of_networks},
    {"--model", of_networks},
    {"--step", of_networks},
    {"--matrix", {"matrix"}},
    {"--device", by_products},
    {"--ggn-mode", {"ggn"}},
    {"--mc-samples", {"mc_fisher"}},
    {"--hessian-mode", {"hessian"}},
    {"--force", {"hessian"}},
    {"--fisher-unit", {"empirical_fisher"}},
    {"--fisher-clip", {"empirical_fisher"}},
    {"--kfac", kronecker},
    {"--uncovered", kronecker},
    {"--damping", kronecker},
    {"--power", kronecker},
};

std::string listed(const Kinds& kinds) {
  if (kinds.size() == 1) return kinds.front();
  const auto last = std::prev(kinds.end());
  return fmt::format("{} and {}", fmt::join(kinds.begin(), last, ", "), *last);
}

}  // namespace

void require_flags_apply(const std::string& kind, const std::vector<std::string>& given) {
  require_one_of("--operator", kind, operator_kinds());
  for (const auto& flag : given) {
    const auto found = kinds_of_flag.find(flag);
    if (found == kinds_of_flag.end()) continue;
    const Kinds& kinds = found->second;
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) continue;
    throw InputError(fmt::format("{} is for {}, not {}; leave it out", flag, listed(kinds), kind));
  }
}

}  // namespace ritzflow
