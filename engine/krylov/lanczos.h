#pragma once
#include <functional>

#include "krylov/process/factorization.h"
#include "krylov/process/wanted.h"

namespace ritzflow::krylov {

/// What a run is asked for.
struct LanczosOptions {
  int64_t k = 10;
  int64_t max_iters = 100;  ///< products at most
  double tol = 1e-8;
  Which which = Which::largest;
  double noise = 0;  ///< relative noise of a product: below noise * ||A|| an estimate says nothing
};

/// How a run ended: non-convergence is data.
struct LanczosOutcome {
  int64_t converged = 0;      ///< wanted pairs whose estimate, and the noise floor, meets the goal
  int64_t settled = 0;        ///< the same without the noise: no further product would help
  bool stopped = false;       ///< the observer asked to stop
  double worst_estimate = 0;  ///< of the wanted pairs
};

/// Wanted pairs of the current T whose estimate max(beta |s_m|, noise ||A||) meets residual_goal(), after the
/// ghost filter of Cullum and Willoughby where the mode loses orthogonality: there T shows a multiple
/// eigenvalue as it shows copies of a simple one, and values count once.
LanczosOutcome assess(const KrylovFactorization& f, const Reorthogonalization& mode,
                      const LanczosOptions& options);

/// Steps `process` until the k wanted pairs are settled, `max_iters` products are spent, the space is
/// exhausted, or observer(outcome so far) returns false. A mode whose traits say so never stops early.
LanczosOutcome run_lanczos(LanczosProcess& process, const Reorthogonalization& mode,
                           const LanczosOptions& options,
                           const std::function<bool(const LanczosOutcome&)>& observer);

}  // namespace ritzflow::krylov
