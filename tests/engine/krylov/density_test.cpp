#include "krylov/density.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "problems.h"

namespace ritzflow {
namespace {

SpectralDensity density_of(const Spectrum& spectrum, int probes, int64_t steps, uint64_t seed = 0) {
  std::vector<ProbeRun> runs;
  for (int p = 0; p < probes; ++p) {
    DiagonalOperator op(spectrum);
    const auto process = run_steps(op, Full{}, seed * 100 + static_cast<uint64_t>(p), steps);
    runs.push_back({process.factorization().alphas(), process.factorization().beta});
  }
  return spectral_density(runs, {.n = static_cast<int64_t>(spectrum.size())});
}

double share_up_to(const Spectrum& spectrum, double x) {
  return static_cast<double>(
             std::count_if(spectrum.begin(), spectrum.end(), [&](double l) { return l <= x; })) /
         static_cast<double>(spectrum.size());
}

TEST(Density, BandContainsTheTrueDistribution) {
  for (const Problem& problem :
       {marchenko_pastur(), indefinite(), psd_curvature(), plus_minus(), clusters()}) {
    const SpectralDensity d = density_of(problem.spectrum, 3, 40);
    for (size_t g = 0; g < d.grid.size(); ++g) {
      const double truth = share_up_to(problem.spectrum, d.grid[g]);
      EXPECT_LE(d.cdf_lower[g], truth + 1e-12) << problem.name << " at " << d.grid[g];
      EXPECT_GE(d.cdf_upper[g], truth - 1e-12) << problem.name << " at " << d.grid[g];
    }
  }
}

TEST(Density, IntegratesToOne) {
  const SpectralDensity d = density_of(marchenko_pastur().spectrum, 2, 40);
  double sum = 0;
  for (size_t g = 0; g + 1 < d.grid.size(); ++g) sum += d.density[g] * (d.grid[g + 1] - d.grid[g]);
  EXPECT_NEAR(sum, 1, 0.01);
}

TEST(Density, NegativeBoundsContainTheTruthOnRandomSpectra) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const Philox random(seed, "test", "density");
    const bool heavy = seed % 2 == 0;
    Spectrum spectrum;
    for (uint64_t i = 0; i < 60; ++i) {
      const double x = random.normal(i) + 0.5;
      spectrum.push_back(heavy ? std::pow(std::abs(x), 5) * std::copysign(1, x) : x);
    }
    double negative = 0, all = 0, count = 0;
    for (double l : spectrum) {
      negative += std::max(-l, 0.0);
      all += std::abs(l);
      count += l < 0;
    }
    const SpectralDensity d = density_of(spectrum, 4, 12, seed);
    EXPECT_LE(d.negative_mass.lower, negative / all) << seed;
    EXPECT_GE(d.negative_mass.upper, negative / all) << seed;
    EXPECT_LE(d.negative_fraction.lower, count / 60) << seed;
    EXPECT_GE(d.negative_fraction.upper, count / 60) << seed;
  }
}

TEST(Density, SemiDefiniteSpectrumHasNegativeMassNearZero) {
  const SpectralDensity d = density_of(psd_curvature().spectrum, 3, 60);
  EXPECT_LE(d.negative_mass.value, 1e-12);
  EXPECT_EQ(d.negative_mass.lower, 0);
}

TEST(Density, NoProbeIsRefused) { EXPECT_THROW(spectral_density({}, {.n = 3}), InputError); }

}  // namespace
}  // namespace ritzflow
