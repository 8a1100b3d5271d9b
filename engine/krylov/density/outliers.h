#pragma once
#include <cmath>
#include <vector>

namespace ritzflow {

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

/// Gauss quadrature of the measure of a probe vector.
struct Quadrature {
  std::vector<double> nodes;      ///< [m] ascending
  std::vector<double> weights;    ///< [m] s_1i^2
  std::vector<double> residuals;  ///< [m] beta |s_mi|
};

Quadrature gauss(const ProbeRun& probe);

/// Eigenvalues that are known one by one, with their copies: all that lie outside [lower, upper].
struct Outliers {
  std::vector<Outlier> values;
  double lower = -HUGE_VAL, upper = HUGE_VAL;
  double leaning = 0;  ///< error of a probe's weight outside [lower, upper], to first order
};

/// The outliers of both ends that some run's certificate counts and that every run shows converged. The
/// weight of node i is that of its eigenspace up to 2 sqrt(w_i) residual / gap (Davis and Kahan), so that
/// the others, divided by the weight that is left, are the quadrature of the probe's part orthogonal to the
/// outliers' eigenvectors: a uniform probe of the deflated operator.
Outliers find_outliers(const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules);

}  // namespace ritzflow
