#include "krylov/process/tolerance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ritzflow::krylov {

double product_error(double noise, double epsilon) { return noise + 4 * epsilon; }

double residual_goal(double tol, double theta, double norm_a) {
  const double eps = std::numeric_limits<double>::epsilon();
  return tol * std::max(std::abs(theta), std::pow(eps, 2.0 / 3.0) * norm_a);
}

}  // namespace ritzflow::krylov
