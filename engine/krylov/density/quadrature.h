#pragma once
#include <vector>

namespace ritzflow::krylov {

/// Gauss quadrature of the measure of a probe vector.
struct Quadrature {
  std::vector<double> nodes;      ///< [m] ascending
  std::vector<double> weights;    ///< [m] s_1i^2
  std::vector<double> residuals;  ///< [m] beta |s_mi|
};

/// The rule of T = tridiag(alpha, beta) [m] of a run that started at the probe vector (Golub and Welsch).
Quadrature gauss(const std::vector<double>& alpha, const std::vector<double>& beta);

}  // namespace ritzflow::krylov
