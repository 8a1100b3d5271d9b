#pragma once
#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "krylov/factorization.h"

namespace ritzflow {

/// Which eigenvalues are wanted. `both`: k in total, half at each end, the odd one at the top.
enum class Which { largest, smallest, both, magnitude };

/// Parses `largest | smallest | both | magnitude`; throws InputError on another word.
Which parse_which(const std::string& text);

/// A candidate: an eigenpair (theta, s) of the small matrix H (or T) with unit s, for which
/// A Q's - theta Q's = Q'leftover + beta s_m q.
struct RitzCandidate {
  double value = 0;          ///< theta
  double coupling = 0;       ///< beta |s_m|, not yet divided by ||Q's||
  double gamma = 0;          ///< s_1^2
  Eigen::VectorXd s;         ///< [m]
  Eigen::VectorXd leftover;  ///< [m] H s - theta s where theta is the real part of a complex pair, else empty

  /// ||A Q's - theta Q's|| as if the rows of Q were orthonormal.
  double bound() const { return std::hypot(coupling, leftover.norm()); }
};

/// All candidates, descending by value. Modes that record nothing beyond the three-term recurrence or that
/// keep orthogonality have H = T to rounding and solve the symmetric T; `selective` solves H itself, whose
/// complex pairs theta +- i tau, s +- i t enter once, as theta and s with the leftover -tau t.
std::vector<RitzCandidate> ritz_candidates(const KrylovFactorization& f, const Reorthogonalization& mode);

/// One end of the spectrum: candidates in the order in which they are wanted, and how many are.
struct WantedEnd {
  std::vector<size_t> order;
  int64_t count = 0;
};

/// The ends that `which` asks for, over `values` descending. `k` is cut to the number of values.
std::vector<WantedEnd> wanted_ends(const std::vector<double>& values, Which which, int64_t k);

/// The method's own bound: a wanted pair is converged when its residual is at most this.
/// tol * max(|theta|, eps^(2/3) ||A||).
double residual_goal(double tol, double theta, double norm_a);

}  // namespace ritzflow
