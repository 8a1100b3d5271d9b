#include "krylov/density/exact_density.h"

#include <algorithm>
#include <cmath>

#include "krylov/density/density_grid.h"
#include "krylov/density/share_band.h"

namespace ritzflow::krylov {
namespace {

constexpr double reach = 8;  // standard deviations beyond which a Gaussian is 0 to rounding

/// Mean of Gaussians of standard deviation `bandwidth` at the eigenvalues.
double smoothed(const std::vector<double>& ascending, double x, double bandwidth) {
  const auto first = std::lower_bound(ascending.begin(), ascending.end(), x - reach * bandwidth);
  const auto last = std::upper_bound(first, ascending.end(), x + reach * bandwidth);
  double sum = 0;
  for (auto value = first; value != last; ++value) sum += gaussian(x - *value, bandwidth);
  return sum / static_cast<double>(ascending.size());
}

BoundedValue exact(double value) { return {value, value, value}; }

}  // namespace

SpectralDensity exact_density(const std::vector<double>& spectrum, const DensityOptions& options) {
  const std::vector<double> ascending(spectrum.rbegin(), spectrum.rend());
  const auto n = static_cast<double>(ascending.size());
  SpectralDensity result;
  result.bandwidth = density_bandwidth(ascending.front(), ascending.back(), options);
  result.support_lower = ascending.front();
  result.support_upper = ascending.back();
  for (const double x :
       density_grid(ascending.front(), ascending.back(), result.bandwidth, options.grid_points)) {
    const auto up_to = std::upper_bound(ascending.begin(), ascending.end(), x) - ascending.begin();
    result.grid.push_back(x);
    result.cdf.push_back(static_cast<double>(up_to) / n);
    result.density.push_back(smoothed(ascending, x, result.bandwidth));
  }
  result.cdf_lower = result.cdf_upper = result.cdf;
  result.density_lower = result.density_upper = result.density;
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

}  // namespace ritzflow::krylov
