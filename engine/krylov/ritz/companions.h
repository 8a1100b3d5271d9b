#pragma once
#include <vector>

#include "krylov/process/wanted.h"
#include "krylov/ritz/ritz_candidate.h"
#include "krylov/ritz/ritz_pair.h"

namespace ritzflow::krylov {

/// Ritz pairs that are not wanted, but worth deflating: the best converged ones, `count` at most and as long
/// as their residuals together are small against the distance of the nearest from the wanted values. For
/// modes that keep orthogonality to rounding.
std::vector<RitzPair> companions(const std::vector<RitzCandidate>& candidates, const Combinations& basis,
                                 Which which, int64_t k, int64_t count);

}  // namespace ritzflow::krylov
