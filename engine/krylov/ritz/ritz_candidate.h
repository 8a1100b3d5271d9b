#pragma once
#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <vector>

#include "krylov/process/factorization.h"

namespace ritzflow::krylov {

/// A candidate: an eigenpair (theta, s) of the small matrix H (or T) with unit s, for which
/// A Q's - theta Q's = Q'leftover + beta s_m q.
struct RitzCandidate {
  double value = 0;          ///< theta
  double coupling = 0;       ///< beta |s_m|, not yet divided by ||Q's||
  double gamma = 0;          ///< s_1^2, of the start vector; NaN after a restart
  Eigen::VectorXd s;         ///< [m]
  Eigen::VectorXd leftover;  ///< [m] H s - theta s where it is more than rounding, else empty

  /// ||A Q's - theta Q's|| as if the rows of Q were orthonormal.
  double bound() const { return std::hypot(coupling, leftover.norm()); }
};

/// All candidates, descending by value. Modes that record nothing beyond the three-term recurrence or that
/// keep orthogonality to rounding have H = T and solve the symmetric T; `partial` and `parlett_scott`
/// continue from there to the eigenvectors of H; `selective` solves H itself, whose complex pairs theta +- i
/// tau, s +- i t enter once, as theta and s with the leftover -tau t.
std::vector<RitzCandidate> ritz_candidates(const KrylovFactorization& f, const Reorthogonalization& mode);

}  // namespace ritzflow::krylov
