#pragma once
#include <cstdint>
#include <vector>

#include "settings/choices.h"

namespace ritzflow::krylov {

/// One end of the spectrum: candidates in the order in which they are wanted, and how many are.
struct WantedEnd {
  std::vector<size_t> order;
  int64_t count = 0;
};

/// The ends that `which` asks for, over `values` descending. `k` is cut to the number of values.
std::vector<WantedEnd> wanted_ends(const std::vector<double>& values, Which which, int64_t k);

/// How many of the wanted ones among `values` (descending) have converged. Others in the list, such as copies
/// that a certificate found at one end, do not stand in for a wanted one at the other.
int64_t wanted_converged(const std::vector<double>& values, const std::vector<bool>& converged, Which which,
                         int64_t k);

}  // namespace ritzflow::krylov
