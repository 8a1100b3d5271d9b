#pragma once
#include <cstdint>
#include <vector>

#include "krylov/density/density.h"

namespace ritzflow::krylov {

/// Standard deviation of the Gaussians on a spectrum in [lower, upper]: the one of `options`, else a
/// hundredth of the range, but enough that rounding keeps the points of the grid apart where the spectrum is
/// one value; 1 where that value is 0.
double density_bandwidth(double lower, double upper, const DensityOptions& options);

/// `points` equidistant ones from three bandwidths before `lower` to three above `upper`. Throws InputError
/// where they coincide by rounding.
std::vector<double> density_grid(double lower, double upper, double bandwidth, int64_t points);

}  // namespace ritzflow::krylov
