#include "krylov/probabilistic_bound.h"

#include <cmath>
#include <limits>

#include "krylov/tridiagonal.h"

namespace ritzflow {
namespace {

// From the ratios r_j = p_j / p_(j-1): beta_j r_j = x - alpha_j - beta_(j-1) / r_(j-1), all positive beyond
// theta_max.
double log_polynomial(std::span<const double> alpha, std::span<const double> beta, double x) {
  double sum = 0, ratio = 1;
  for (size_t j = 0; j < alpha.size(); ++j) {
    ratio = (x - alpha[j] - (j > 0 ? beta[j - 1] / ratio : 0)) / beta[j];
    if (!(ratio > 0)) return -std::numeric_limits<double>::infinity();
    sum += std::log(ratio);
  }
  return sum;
}

double log_of_one_over_d(double delta, int64_t n) {
  return -std::log(delta * std::sqrt(M_PI / (2 * static_cast<double>(n))));
}

}  // namespace

double probabilistic_upper_bound(std::span<const double> alpha, std::span<const double> beta, double delta,
                                 int64_t n) {
  const double target = log_of_one_over_d(delta, n);
  const auto below = [&](double x) { return log_polynomial(alpha, beta, x) < target; };
  double low = tridiagonal_eigen(alpha, beta).values.back(), step = beta[alpha.size() - 1];
  while (below(low + step)) step *= 2;
  double high = low + step;
  for (int i = 0; i < 100 && low < high; ++i) {
    const double middle = 0.5 * (low + high);
    (below(middle) ? low : high) = middle;
  }
  return high;
}

double progress_to_bound(std::span<const double> alpha, std::span<const double> beta, double delta, int64_t n,
                         double x) {
  return log_polynomial(alpha, beta, x) / log_of_one_over_d(delta, n);
}

}  // namespace ritzflow
