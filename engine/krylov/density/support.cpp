#include "krylov/density/support.h"

#include <algorithm>
#include <cmath>

#include "krylov/certificate/probabilistic_bound.h"
#include "krylov/process/factorization.h"

namespace ritzflow::krylov {

Interval support(const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules,
                 const DensityOptions& options, double slack) {
  Interval range{-HUGE_VAL, HUGE_VAL}, seen{HUGE_VAL, -HUGE_VAL};
  // Two ends of each probe may be wrong, together with no more than delta (union bound).
  const double delta = options.delta / (2 * static_cast<double>(probes.size()));
  for (size_t p = 0; p < probes.size(); ++p) {
    const double least = rules[p].nodes.front(), largest = rules[p].nodes.back();
    const double norm = std::max(std::abs(least), std::abs(largest));
    const RandomStart run{probes[p].alpha, probes[p].beta, breakdown_level(options.n) * norm};
    range.upper = std::min(range.upper, probabilistic_upper_bound(run, delta, options.n));
    range.lower =
        std::max(range.lower, -probabilistic_upper_bound(run.seen_from(End::lower), delta, options.n));
    seen = {std::min(seen.lower, least), std::max(seen.upper, largest)};
    for (const auto& found : probes[p].certified.found)
      seen = {std::min(seen.lower, found.value), std::max(seen.upper, found.value)};
  }
  const Interval ends{std::min(range.lower, seen.lower) - slack, std::max(range.upper, seen.upper) + slack};
  // Ritz values of a semi-definite operator are negative by rounding only.
  return options.semidefinite ? Interval{std::max(ends.lower, 0.0), std::max(ends.upper, 0.0)} : ends;
}

}  // namespace ritzflow::krylov
