#include "krylov/exact_density.h"

#include <algorithm>
#include <cmath>

namespace ritzflow {
namespace {

constexpr double reach = 8;  // standard deviations behind which a Gaussian is 0 to rounding

/// Mean of Gaussians of standard deviation `bandwidth` at the eigenvalues.
double smoothed(const std::vector<double>& ascending, double x, double bandwidth) {
  const auto first = std::lower_bound(ascending.begin(), ascending.end(), x - reach * bandwidth);
  const auto last = std::upper_bound(first, ascending.end(), x + reach * bandwidth);
  double sum = 0;
  for (auto value = first; value != last; ++value) {
    const double distance = (x - *value) / bandwidth;
    sum += std::exp(-0.5 * distance * distance);
  }
  return sum / (static_cast<double>(ascending.size()) * bandwidth * std::sqrt(2 * M_PI));
}

BoundedValue exact(double value) { return {value, value, value}; }

}  // namespace

SpectralDensity exact_density(const std::vector<double>& spectrum, const DensityOptions& options) {
  const std::vector<double> ascending(spectrum.rbegin(), spectrum.rend());
  const auto n = static_cast<double>(ascending.size());
  const double width = ascending.back() - ascending.front();
  SpectralDensity result;
  result.bandwidth = options.bandwidth > 0 ? options.bandwidth : width > 0 ? width / 100 : 1;
  const double first = ascending.front() - 3 * result.bandwidth,
               last = ascending.back() + 3 * result.bandwidth;
  for (int64_t g = 0; g < options.grid_points; ++g) {
    const double x = first + (last - first) * static_cast<double>(g) /
                                 static_cast<double>(std::max<int64_t>(1, options.grid_points - 1));
    const auto up_to = std::upper_bound(ascending.begin(), ascending.end(), x) - ascending.begin();
    result.grid.push_back(x);
    result.cdf.push_back(static_cast<double>(up_to) / n);
    result.density.push_back(smoothed(ascending, x, result.bandwidth));
  }
  result.cdf_lower = result.cdf_upper = result.cdf;
  double negative = 0, all = 0, count = 0;
  for (const double value : ascending) {
    all += std::abs(value);
    if (value < 0) negative += -value;
    if (value < 0) ++count;
  }
  result.negative_fraction = exact(count / n);
  result.negative_mass = exact(all > 0 ? negative / all : 0);
  return result;
}

}  // namespace ritzflow
