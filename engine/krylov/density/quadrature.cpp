#include "krylov/density/quadrature.h"

#include <cmath>

#include "krylov/process/tridiagonal.h"

namespace ritzflow::krylov {

Quadrature gauss(const std::vector<double>& alpha, const std::vector<double>& beta) {
  TridiagonalEigen eigen = tridiagonal_eigen(alpha, beta);
  for (double& s : eigen.first) s *= s;
  for (double& s : eigen.last) s = beta.back() * std::abs(s);
  return {std::move(eigen.values), std::move(eigen.first), std::move(eigen.last)};
}

}  // namespace ritzflow::krylov
