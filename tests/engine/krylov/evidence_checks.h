#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "krylov/certificate/certificate.h"
#include "problems.h"

namespace ritzflow::krylov {

inline bool contains_an_eigenvalue(const RitzPair& pair, const Spectrum& spectrum) {
  return std::ranges::any_of(
      spectrum, [&](double lambda) { return pair.interval[0] <= lambda && lambda <= pair.interval[1]; });
}

/// No more eigenvalues lie beyond the bounds, and `rounding`, than there are returned values: `pairs` and
/// those that the certificate found.
inline void expect_bounds(const Spectrum& spectrum, std::vector<RitzPair> pairs, const Certificate& known,
                          double rounding) {
  pairs.insert(pairs.end(), known.found.begin(), known.found.end());
  const auto above = [&](double a) { return a > known.upper_bound + rounding; };
  const auto below = [&](double a) { return a < known.lower_bound - rounding; };
  const auto value = [](const RitzPair& pair) { return pair.value; };
  EXPECT_LE(std::ranges::count_if(spectrum, above), std::ranges::count_if(pairs, above, value));
  EXPECT_LE(std::ranges::count_if(spectrum, below), std::ranges::count_if(pairs, below, value));
}

}  // namespace ritzflow::krylov
