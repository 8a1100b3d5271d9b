#include "krylov/density/density_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace ritzflow::krylov {

double density_bandwidth(double lower, double upper, const DensityOptions& options) {
  if (options.bandwidth > 0) return options.bandwidth;
  const double rounding = std::numeric_limits<double>::epsilon() * std::max(std::abs(lower), std::abs(upper));
  // The grid is at least six bandwidths long: its points lie 12 rounding errors apart.
  const double least = 2 * static_cast<double>(options.grid_points) * rounding;
  return least > 0 ? std::max((upper - lower) / 100, least) : 1;
}

std::vector<double> density_grid(double lower, double upper, double bandwidth, int64_t points) {
  const double first = lower - 3 * bandwidth, last = upper + 3 * bandwidth;
  std::vector<double> grid;
  for (int64_t g = 0; g < points; ++g) {
    grid.push_back(first + (last - first) * static_cast<double>(g) /
                               static_cast<double>(std::max<int64_t>(1, points - 1)));
  }
  if (std::ranges::adjacent_find(grid, std::ranges::greater_equal()) != grid.end()) {
    throw InputError(
        fmt::format("bandwidth {:g} is too small: the {} points of the grid around {:g} coincide by rounding",
                    bandwidth, points, upper));
  }
  return grid;
}

}  // namespace ritzflow::krylov
