#include "krylov/certificate/probabilistic_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "krylov/process/tridiagonal.h"

namespace ritzflow::krylov {
namespace {

// From the ratios r_j = p_j / p_(j-1): beta_j r_j = x - alpha_j - beta_(j-1) / r_(j-1), all positive beyond
// theta_max.
double log_polynomial(const RandomStart& run, double x) {
  double sum = 0, ratio = 1;
  for (size_t j = 0; j < run.alpha.size(); ++j) {
    const double beta = run.beta[j] > 0 ? run.beta[j] : run.breakdown;
    ratio = (x - run.alpha[j] - (j > 0 ? run.beta[j - 1] / ratio : 0)) / beta;
    if (!(ratio > 0)) return -std::numeric_limits<double>::infinity();
    sum += std::log(ratio);
  }
  return sum;
}

double log_of_one_over_d(double delta, int64_t n) {
  return -std::log(delta * std::sqrt(M_PI / (2 * static_cast<double>(n))));
}

}  // namespace

RandomStart RandomStart::seen_from(End end) const {
  RandomStart run = *this;
  for (double& a : run.alpha) a = krylov::seen_from(end, a);
  return run;
}

double probabilistic_upper_bound(const RandomStart& run, double delta, int64_t n) {
  const double largest = tridiagonal_eigen(run.alpha, run.beta).values.back();
  const double last = run.beta[run.alpha.size() - 1];
  double step = last > 0 ? last : run.breakdown;
  if (step == 0 || static_cast<int64_t>(run.alpha.size()) >= n) return largest;
  const double target = log_of_one_over_d(delta, n);
  const auto below = [&](double x) { return log_polynomial(run, x) < target; };
  double low = largest;
  while (below(low + step)) step *= 2;
  double high = low + step;
  for (int i = 0; i < 100 && low < high; ++i) {
    const double middle = 0.5 * (low + high);
    (below(middle) ? low : high) = middle;
  }
  return high;
}

double probabilistic_upper_bound(const std::vector<RandomStart>& runs, double delta, int64_t n) {
  double bound = -std::numeric_limits<double>::infinity();
  for (const RandomStart& run : runs) {
    const double share = std::pow(delta, 1 / static_cast<double>(runs.size()));
    bound = std::max(bound, probabilistic_upper_bound(run, share, n));
  }
  return bound;
}

double progress_to_bound(const RandomStart& run, double delta, int64_t n, double x) {
  return log_polynomial(run, x) / log_of_one_over_d(delta, n);
}

}  // namespace ritzflow::krylov
