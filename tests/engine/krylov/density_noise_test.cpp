#include <gtest/gtest.h>

#include <cmath>

#include "krylov/certificate/probabilistic_bound.h"
#include "krylov/density/density.h"
#include "krylov/density/share_band.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

std::vector<ProbeRun> runs_of(const Spectrum& spectrum, uint64_t probes, int64_t steps, uint64_t seed,
                              double slack) {
  std::vector<ProbeRun> runs;
  for (uint64_t p = 0; p < probes; ++p) {
    DiagonalOperator op(spectrum);
    const auto process = run_steps(op, Full{}, seed * 100 + p, steps);
    runs.push_back({.alpha = process.factorization().alphas(),
                    .beta = process.factorization().beta,
                    .certified = {},
                    .slack = slack});
  }
  return runs;
}

double share_up_to(const Spectrum& spectrum, double x) {
  const auto count = std::ranges::count_if(spectrum, [&](double l) { return l <= x; });
  return static_cast<double>(count) / static_cast<double>(spectrum.size());
}

// What products with noise show: every eigenvalue moved by up to `slack` less the rounding of Ritz values, at
// random or all of them alike.
Spectrum seen_through(const Spectrum& spectrum, double slack, uint64_t seed) {
  const Philox random(seed, "test", "noise");
  Spectrum seen = spectrum;
  for (size_t i = 0; i < seen.size(); ++i) {
    const double move = seed % 2 == 0 ? 2 * random.uniform(i) - 1 : std::copysign(1, random.normal(0));
    seen[i] += 0.999 * slack * move;
  }
  std::ranges::sort(seen, std::greater<>());
  return seen;
}

TEST(DensityOfNoisyProducts, BandsAndBoundsContainTheTruthBehindTheNoiseOfProducts) {
  const double slack = 0.05;
  const Spectrum truth =
      joined(joined({8, 7, 5}, Spectrum(57, 0.5)), joined(Spectrum(100, 0), Spectrum(40, -1)));
  const double mass = 40 / (20 + 57 * 0.5 + 40);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const SpectralDensity d =
        spectral_density(runs_of(seen_through(truth, slack, seed), 3, 30, seed, slack), {.n = 200});
    for (size_t g = 0; g < d.grid.size(); ++g) {
      double smoothed = 0;
      for (double l : truth) smoothed += gaussian(d.grid[g] - l, d.bandwidth) / 200;
      EXPECT_LE(d.cdf_lower[g], share_up_to(truth, d.grid[g]) + 1e-12) << seed << " at " << d.grid[g];
      EXPECT_GE(d.cdf_upper[g], share_up_to(truth, d.grid[g]) - 1e-12) << seed << " at " << d.grid[g];
      EXPECT_LE(d.density_lower[g], smoothed + 1e-9) << seed << " at " << d.grid[g];
      EXPECT_GE(d.density_upper[g], smoothed - 1e-9) << seed << " at " << d.grid[g];
    }
    EXPECT_LE(d.negative_fraction.lower, 0.2) << seed;
    EXPECT_GE(d.negative_fraction.upper, 0.2) << seed;
    EXPECT_LE(d.negative_mass.lower, mass) << seed;
    EXPECT_GE(d.negative_mass.upper, mass) << seed;
    EXPECT_LE(d.support_lower, -1) << seed;
    EXPECT_GE(d.support_upper, 8) << seed;
  }
}

TEST(DensityOfNoisyProducts, EigenvaluesWithinTheNoiseOfProductsAreNotNegative) {
  const double slack = 1e-11;
  const Spectrum seen = joined({1000, 500, 300, 200, 100}, Spectrum(295, -0.5 * slack));
  const SpectralDensity d = spectral_density(runs_of(seen, 3, 12, 0, slack), {.n = 300});
  for (const BoundedValue& v : {d.negative_fraction, d.negative_mass}) {
    EXPECT_EQ(v.value, 0);
    EXPECT_EQ(v.lower, 0);
  }
  EXPECT_GE(d.negative_fraction.upper, 0.5);  // they might be
  EXPECT_LE(d.negative_mass.upper, 1e-9);     // what a breakdown may have hidden included
}

// Each probe has the Ritz values -1e-9 and one that is positive: how much the bound leaves open, and the
// pieces of the band add up to more than their whole by rounding.
TEST(DensityOfNoisyProducts, NegativeMassIsAShareWhereNothingIsSurelyPositive) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Philox random(seed, "test", "tops");
    std::vector<ProbeRun> runs;
    for (uint64_t p = 0; p < 8; ++p) {
      const double top = random.uniform(p), middle = 0.5 * (top - 1e-9);
      runs.push_back(
          {.alpha = {middle, middle}, .beta = {0.5 * (top + 1e-9), 0}, .certified = {}, .slack = 1e-12});
    }
    const double upper = spectral_density(runs, {.n = 50}).negative_mass.upper;
    EXPECT_LE(upper, 1) << seed;
    EXPECT_NEAR(upper, 1, 1e-6) << seed;
  }
}

void expect_estimates_within_their_bands(const SpectralDensity& d) {
  for (size_t g = 0; g < d.grid.size(); ++g) {
    EXPECT_LE(d.cdf_lower[g], d.cdf[g]) << "at " << d.grid[g];
    EXPECT_LE(d.cdf[g], d.cdf_upper[g]) << "at " << d.grid[g];
    EXPECT_LE(d.density_lower[g], d.density[g]) << "at " << d.grid[g];
    EXPECT_LE(d.density[g], d.density_upper[g]) << "at " << d.grid[g];
  }
}

// Noise makes Ritz values negative, by more than the slack that is known of it, too; the grid is fine enough
// to have points between them and 0.
TEST(DensityOfNoisyProducts, EstimatesOfASemiDefiniteOperatorLieInTheirBandsBelowZero) {
  const Spectrum truth = joined({8, 7, 5}, joined(Spectrum(17, 0.5), Spectrum(60, 0)));
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (const double slack : {1e-12, 0.05}) {
      const auto runs = runs_of(seen_through(truth, 0.05, seed), 2, 20, seed, slack);
      const SpectralDensity d = spectral_density(runs, {.n = 80, .grid_points = 4096, .semidefinite = true});
      expect_estimates_within_their_bands(d);
      EXPECT_GE(d.support_lower, 0);
      ASSERT_LT(d.grid.front(), 0);
      for (size_t g = 0; d.grid[g] < 0; ++g) EXPECT_EQ(d.cdf[g], 0) << seed;
    }
  }
}

TEST(DensityOfNoisyProducts, AnOutlierThatTheCertificateFoundIsInTheSupportAndInTheBand) {
  auto runs = runs_of(linspace(-1, 1, 60), 2, 12, 0, 1e-10);
  for (auto& run : runs) {
    run.certified = {.lower_bound = -HUGE_VAL, .upper_bound = 2, .found = {{3, 1e-9}}};
    run.beta.back() = 0;  // the runs ended in an invariant subspace: their own bound is their largest value
  }
  const SpectralDensity d = spectral_density(runs, {.n = 61});
  expect_estimates_within_their_bands(d);
  EXPECT_GE(d.support_upper, 3);
}

TEST(DensityOfNoisyProducts, OutlierOfASemiDefiniteOperatorIsNotNegativeWithinItsRadius) {
  auto runs = runs_of(joined(linspace(1, 2, 99), {0}), 2, 60, 0, 1e-10);
  for (auto& run : runs) run.certified.lower_bound = 0.5;
  const SpectralDensity unknown = spectral_density(runs, {.n = 100});
  ASSERT_EQ(unknown.outliers.size(), 1);
  EXPECT_EQ(unknown.negative_fraction.upper, 0.01);
  EXPECT_EQ(spectral_density(runs, {.n = 100, .semidefinite = true}).negative_fraction.upper, 0);
}

TEST(DensitySupport, ProbabilityOfAWrongEndIsSharedByBothEndsOfAllProbes) {
  const auto runs = runs_of(linspace(-1, 1, 400), 3, 20, 0, 0);
  double upper = HUGE_VAL;
  for (const auto& run : runs)
    upper = std::min(upper, probabilistic_upper_bound(RandomStart{run.alpha, run.beta}, 0.06 / 6, 400));
  EXPECT_DOUBLE_EQ(spectral_density(runs, {.n = 400, .delta = 0.06}).support_upper, upper);
}

}  // namespace
}  // namespace ritzflow::krylov
