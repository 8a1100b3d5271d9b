#include "krylov/density/density_grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "krylov/density/exact_density.h"

namespace ritzflow::krylov {
namespace {

TEST(DensityGrid, GridRisesWhereTheSpectrumIsOneValueToRounding) {
  const double value = 1e6, next = std::nextafter(value, 2e6);
  for (const int64_t points : {2, 512, 100000}) {
    const ProbeRun run{.alpha = {value, next}, .beta = {0, 0}, .certified = {}};
    for (const SpectralDensity& d : {spectral_density({run}, {.n = 5, .grid_points = points}),
                                     exact_density({next, value}, {.grid_points = points})}) {
      EXPECT_TRUE(std::ranges::is_sorted(d.grid, std::less_equal<>())) << points;
      EXPECT_LT(d.bandwidth, 1e-3);
    }
  }
  EXPECT_EQ(exact_density({0, 0}, {}).bandwidth, 1);
}

TEST(DensityGrid, BandwidthBelowRoundingIsRefused) {
  EXPECT_THROW(exact_density({1e6, 1e6}, {.bandwidth = 1e-12}), InputError);
}

}  // namespace
}  // namespace ritzflow::krylov
