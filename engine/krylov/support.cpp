#include "krylov/support.h"

#include <algorithm>
#include <cmath>

#include "krylov/factorization.h"
#include "krylov/probabilistic_bound.h"

namespace ritzflow {

Range support(const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules,
              const DensityOptions& options, double slack) {
  Range range{-HUGE_VAL, HUGE_VAL}, seen{HUGE_VAL, -HUGE_VAL};
  // Two ends of each probe may be wrong, together with no more than delta (union bound).
  const double delta = options.delta / (2 * static_cast<double>(probes.size()));
  for (size_t p = 0; p < probes.size(); ++p) {
    const double least = rules[p].nodes.front(), largest = rules[p].nodes.back();
    const double norm = std::max(std::abs(least), std::abs(largest));
    const RandomStart run{probes[p].alpha, probes[p].beta, breakdown_level(options.n) * norm};
    range.upper = std::min(range.upper, probabilistic_upper_bound(run, delta, options.n));
    range.lower = std::max(range.lower, -probabilistic_upper_bound(run.seen_from(-1), delta, options.n));
    seen = {std::min(seen.lower, least), std::max(seen.upper, largest)};
  }
  // Ritz values of a semi-definite operator are negative by rounding only.
  const double lower = std::min(range.lower, seen.lower) - slack;
  return {options.semidefinite ? std::max(lower, 0.0) : lower, std::max(range.upper, seen.upper) + slack};
}

}  // namespace ritzflow
