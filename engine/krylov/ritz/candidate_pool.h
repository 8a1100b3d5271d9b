#pragma once
#include <vector>

#include "krylov/process/wanted.h"
#include "krylov/ritz/ritz_candidate.h"
#include "krylov/ritz/ritz_pair.h"

namespace ritzflow::krylov {

/// x = Q's / ||Q's|| with its residual as estimated.
RitzPair form_pair(const RitzCandidate& candidate, const Combinations& basis);

/// Walks down the candidates of one end, forming x = Q's / ||Q's||, until `end.count` directions of their own
/// have been met; copies and spurious ones met on the way stay in the pool with that verdict.
///
/// A direction is a copy when more than half of its energy ||x||^2 = 1 lies in the span of pairs with a
/// smaller residual estimate: copies, true or still forming, are combinations of eigenvectors that have
/// already converged (Paige), while eigenvectors of one multiple eigenvalue are orthogonal and are kept
/// apart. An emerging copy may mix an eigenvector further down, so the walk continues to far
/// better converged candidates inside the interval of an unconverged pair. Vectors go to `shelf` as they are
/// formed, unless it is null.
std::vector<RitzPair> candidate_pool(const std::vector<RitzCandidate>& candidates, const WantedEnd& end,
                                     const Combinations& basis, Basis* shelf = nullptr);

}  // namespace ritzflow::krylov
