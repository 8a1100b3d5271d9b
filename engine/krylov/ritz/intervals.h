#pragma once
#include <vector>

#include "krylov/ritz/ritz_pair.h"

namespace ritzflow::krylov {

/// What a certificate says of the eigenvalues that are not among the pairs: none above `upper`, none below
/// `lower`; infinite where nothing is known.
struct Outside {
  double lower = -HUGE_VAL, upper = HUGE_VAL;
};

/// [pairs] numbers of clusters, ascending from 0 along descending values: pairs share one when their
/// intervals overlap, directly or through others, so that the evidence does not tell their eigenvalues apart.
/// -1 for ghosts and spurious ones.
std::vector<int64_t> clusters(const std::vector<RitzPair>& pairs);

/// Narrows intervals by the gap theorem (Kato and Temple; Parlett, The Symmetric Eigenvalue Problem, 11.7):
/// |theta - lambda| <= residual^2 / gap + |x'A x - theta|, noise added, where the gap exceeds the residual.
/// The gap is known only where every eigenvalue beyond a bound is: as many as the pairs there, whose clusters
/// lie apart from each other and from the bound. `pairs` descend and have their residual intervals; `slack`
/// is the noise of a product, absolute.
void narrow_by_gaps(std::vector<RitzPair>& pairs, const Outside& outside, double slack);

}  // namespace ritzflow::krylov
