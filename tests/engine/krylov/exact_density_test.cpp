#include "krylov/density/exact_density.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ritzflow::krylov::test {
namespace {

TEST(ExactDensity, CountsEigenvaluesAndHasABandOfNoWidth) {
  const std::vector<double> spectrum = {4, 2, 2, 1, 0, 0, 0, 0};
  const SpectralDensity d = exact_density(spectrum, {.grid_points = 101});
  EXPECT_EQ(d.cdf, d.cdf_lower);
  EXPECT_EQ(d.cdf, d.cdf_upper);
  for (size_t g = 0; g < d.grid.size(); ++g) {
    double count = 0;
    for (const double value : spectrum) count += value <= d.grid[g] ? 1 : 0;
    EXPECT_EQ(d.cdf[g], count / 8);
  }
  EXPECT_EQ(d.negative_fraction.value, 0);
  EXPECT_EQ(d.negative_mass.upper, 0);
}

TEST(ExactDensity, IntegratesToOneAndIsTheMeanOfGaussians) {
  const std::vector<double> spectrum = {5, 3, 3, 0};
  const SpectralDensity d = exact_density(spectrum, {.grid_points = 4001, .bandwidth = 0.3});
  double integral = 0;
  for (size_t g = 0; g + 1 < d.grid.size(); ++g) integral += d.density[g] * (d.grid[g + 1] - d.grid[g]);
  EXPECT_NEAR(integral, 1, 2e-3);  // the grid ends three standard deviations behind the spectrum
  const double x = d.grid[1234];
  double expected = 0;
  for (const double value : spectrum) {
    expected += std::exp(-0.5 * std::pow((x - value) / 0.3, 2)) / (4 * 0.3 * std::sqrt(2 * M_PI));
  }
  EXPECT_NEAR(d.density[1234], expected, 1e-12);
}

TEST(ExactDensity, OfNegativeEigenvaluesIsTheirShareAndMass) {
  const SpectralDensity d = exact_density({3, 1, -1, -3}, {});
  EXPECT_EQ(d.negative_fraction.value, 0.5);
  EXPECT_EQ(d.negative_mass.lower, 0.5);
  EXPECT_EQ(d.negative_mass.upper, 0.5);
}

TEST(ExactDensity, OfAZeroOperatorHasOneStep) {
  const SpectralDensity d = exact_density({0, 0}, {.grid_points = 3});
  EXPECT_EQ(d.cdf, (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(d.negative_mass.value, 0);
}

}  // namespace
}  // namespace ritzflow::krylov::test
