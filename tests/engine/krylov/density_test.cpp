#include "krylov/density/density.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "krylov/certificate/certificate.h"
#include "krylov/density/share_band.h"
#include "krylov/ritz/companions.h"
#include "krylov/ritz/evidence.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

SpectralDensity density_of(const Spectrum& spectrum, int probes, int64_t steps, uint64_t seed = 0) {
  std::vector<ProbeRun> runs;
  for (int p = 0; p < probes; ++p) {
    DiagonalOperator op(spectrum);
    const auto process = run_steps(op, Full{}, seed * 100 + static_cast<uint64_t>(p), steps);
    runs.push_back(
        {.alpha = process.factorization().alphas(), .beta = process.factorization().beta, .certified = {}});
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

// Of a run that certifies its k largest: what the stage reads from lanczos.h5.
ProbeRun certified_run(const Problem& problem, uint64_t seed, int64_t steps, int64_t k = 10) {
  const auto op = problem.make();
  const auto process = run_steps(*op, Full{}, seed, steps);
  const auto& f = process.factorization();
  const auto candidates = ritz_candidates(f, Full{});
  std::vector<RitzPair> pairs = wanted_pairs(candidates, process.basis(), Which::largest, k);
  for (auto& pair : pairs) pair.verdict = Verdict::converged;
  for (auto& pair : companions(candidates, process.basis(), Which::largest, k, k)) pairs.push_back(pair);
  const Certificate certificate =
      certify(*op, pairs, {.k = k, .budget = 300, .seed = seed, .norm_a = problem.norm()});
  ProbeRun run{.alpha = f.alphas(), .beta = f.beta, .certified = {}, .slack = 1e-14 * problem.norm()};
  if (certificate.certified_largest) run.certified.upper_bound = certificate.upper_bound;
  for (const auto& pair : certificate.found) run.certified.found.push_back({pair.value, pair.residual});
  return run;
}

double negative_mass_of(const Spectrum& spectrum) {
  double negative = 0, all = 0;
  for (double l : spectrum) {
    negative += std::max(-l, 0.0);
    all += std::abs(l);
  }
  return negative / all;
}

TEST(Density, DeflatedOutliersAreExactAndNarrowTheBand) {
  const Problem problem = indefinite();
  std::vector<ProbeRun> runs, without;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    runs.push_back(certified_run(problem, seed, 60));
    without.push_back({.alpha = runs.back().alpha, .beta = runs.back().beta, .certified = {}});
  }
  const DensityOptions options = {.n = static_cast<int64_t>(problem.spectrum.size())};
  const SpectralDensity d = spectral_density(runs, options), plain = spectral_density(without, options);
  ASSERT_EQ(d.outliers.size(), 10);
  EXPECT_TRUE(plain.outliers.empty());
  for (size_t i = 0; i < 10; ++i) EXPECT_NEAR(d.outliers[i], problem.spectrum[i], 1e-8);
  for (size_t g = 0; g < d.grid.size(); ++g) {
    const double truth = share_up_to(problem.spectrum, d.grid[g]);
    EXPECT_LE(d.cdf_lower[g], truth + 1e-12);
    EXPECT_GE(d.cdf_upper[g], truth - 1e-12);
    if (d.grid[g] > 1) {
      EXPECT_NEAR(d.cdf[g], truth, 1e-12);
    }
  }
  const double truth = negative_mass_of(problem.spectrum);
  EXPECT_LE(d.negative_mass.lower, truth);
  EXPECT_GE(d.negative_mass.upper, truth);
  EXPECT_LT(d.negative_mass.upper - d.negative_mass.lower,
            0.25 * (plain.negative_mass.upper - plain.negative_mass.lower));
}

// A double eigenvalue has one node in each T, and the certificate finds its copy.
TEST(Density, CopiesOfAnOutlierCountOneEach) {
  const Problem problem = diagonal_problem("twins", joined({8, 8, 5, 5, 3}, linspace(0, 1, 395)));
  std::vector<ProbeRun> runs;
  for (uint64_t seed = 0; seed < 2; ++seed) runs.push_back(certified_run(problem, seed, 14, 3));
  ASSERT_FALSE(runs[0].certified.found.empty());
  const SpectralDensity d = spectral_density(runs, {.n = 400});
  ASSERT_GE(d.outliers.size(), 4);
  for (size_t i = 0; i < d.outliers.size(); ++i) EXPECT_NEAR(d.outliers[i], problem.spectrum[i], 1e-9) << i;
}

// A bound that leaves a value out on purpose: the probes do not show as many, and nothing is deflated there.
TEST(Density, ValuesThatAProbeDoesNotShowAreNotDeflated) {
  const Problem problem = power_law(1);
  std::vector<ProbeRun> runs = {certified_run(problem, 0, 60), certified_run(problem, 1, 60)};
  runs[0].certified.found.push_back({0.6, 1e-12});
  runs[1].certified = {};
  const SpectralDensity d = spectral_density(runs, {.n = 1000});
  ASSERT_EQ(d.outliers.size(), 1);  // what lies beyond the value that nobody shows
  EXPECT_NEAR(d.outliers[0], 1, 1e-12);
}

TEST(Density, QuadratureOfTheLaguerreMatrixIsExact) {
  const int m = 12;  // Gauss's rule of weight exp(-x): the moments are k!
  ProbeRun run;
  for (int i = 1; i <= m; ++i) {
    run.alpha.push_back(2 * i - 1);
    run.beta.push_back(i);
  }
  const Quadrature rule = gauss(run.alpha, run.beta);
  double factorial = 1;
  for (int k = 0; k < 2 * m; ++k) {
    if (k > 0) factorial *= k;
    double moment = 0;
    for (size_t i = 0; i < rule.nodes.size(); ++i) moment += rule.weights[i] * std::pow(rule.nodes[i], k);
    EXPECT_NEAR(moment / factorial, 1, 1e-12) << k;
  }
}

TEST(Density, MarchenkoPasturLawLiesWithinTheBand) {
  const double gamma = 0.5, a = std::pow(1 - std::sqrt(gamma), 2), b = std::pow(1 + std::sqrt(gamma), 2);
  const SpectralDensity d = density_of(marchenko_pastur(2000, gamma).spectrum, 3, 40);
  double law = 0, x = a;
  for (size_t g = 0; g < d.grid.size(); ++g) {
    for (const double step = 1e-5; x + step < std::min(d.grid[g], b); x += step) {
      const double t = x + step / 2;
      law += step * std::sqrt((b - t) * (t - a)) / (2 * M_PI * gamma * t);
    }
    EXPECT_LE(d.cdf_lower[g], law + 1e-3) << d.grid[g];
    EXPECT_GE(d.cdf_upper[g], law - 1e-3) << d.grid[g];
  }
}

TEST(Density, BandOfTheSmoothedDensityContainsTheTruth) {
  for (const Problem& problem : {marchenko_pastur(), indefinite(), plus_minus()}) {
    const SpectralDensity d = density_of(problem.spectrum, 2, 40);
    for (size_t g = 0; g < d.grid.size(); ++g) {
      double truth = 0;
      for (double l : problem.spectrum)
        truth += gaussian(d.grid[g] - l, d.bandwidth) / static_cast<double>(problem.spectrum.size());
      EXPECT_LE(d.density_lower[g], truth + 1e-9) << problem.name << " at " << d.grid[g];
      EXPECT_GE(d.density_upper[g], truth - 1e-9) << problem.name << " at " << d.grid[g];
      EXPECT_LE(d.density_lower[g], d.density[g] + 1e-9);
      EXPECT_GE(d.density_upper[g], d.density[g] - 1e-9);
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

TEST(Density, SemiDefiniteOperatorHasNoNegativeEigenvalue) {
  const Problem problem = rank_deficient();
  const auto op = problem.make();
  const auto process = run_steps(*op, Full{}, 3, 60);
  const ProbeRun run{
      .alpha = process.factorization().alphas(), .beta = process.factorization().beta, .certified = {}};
  const SpectralDensity unknown = spectral_density({run}, {.n = 2000});
  const SpectralDensity known = spectral_density({run}, {.n = 2000, .semidefinite = true});
  EXPECT_GT(unknown.negative_fraction.upper, 0.5);  // the zeros might be negative
  for (const BoundedValue& v : {known.negative_fraction, known.negative_mass}) {
    EXPECT_EQ(v.value, 0);
    EXPECT_EQ(v.upper, 0);
  }
}

TEST(Density, NoProbeIsRefused) { EXPECT_THROW(spectral_density({}, {.n = 3}), InputError); }

}  // namespace
}  // namespace ritzflow::krylov
