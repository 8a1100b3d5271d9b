#pragma once
#include <vector>

#include "krylov/density/density.h"

namespace ritzflow::krylov {

/// The density of a spectrum of which every eigenvalue is known (K-FAC): bands have no width and no
/// randomness. Of `options`, grid_points and bandwidth count. `spectrum` is not empty and descending.
SpectralDensity exact_density(const std::vector<double>& spectrum, const DensityOptions& options);

}  // namespace ritzflow::krylov
