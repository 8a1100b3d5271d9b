#pragma once
#include <cmath>
#include <vector>

namespace ritzflow::krylov {

/// An eigenvalue and how far it may be from `value`.
struct Outlier {
  double value = 0, radius = 0;
};

/// What the certificate of a run says: every eigenvalue is a Ritz value of the run or `found`, or it lies in
/// [lower_bound, upper_bound].
struct CertifiedEnds {
  double lower_bound = -HUGE_VAL, upper_bound = HUGE_VAL;
  std::vector<Outlier> found;  ///< copies and others that the run's start vector did not show
};

/// T = tridiag(alpha, beta) of a Lanczos run from one random probe vector, without restarts.
struct ProbeRun {
  std::vector<double> alpha, beta;
  CertifiedEnds certified;
  double slack = 0;  ///< noise of a product, absolute
};

}  // namespace ritzflow::krylov
