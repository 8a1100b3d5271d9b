#include "krylov/certificate/certificate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evidence_checks.h"
#include "krylov/lanczos.h"
#include "krylov/ritz/companions.h"
#include "krylov/ritz/evidence.h"

namespace ritzflow::krylov {
namespace {

struct Certified {
  std::vector<RitzPair> pairs;
  Certificate certificate;
};

Certified run_and_certify(const Problem& problem, Which which, uint64_t seed, int64_t budget = 150,
                          int64_t k = 10) {
  const auto op = problem.make();
  const ThickRestart mode = {.krylov_dim = 60, .k = k, .which = which};
  LanczosProcess process(*op, random_start(op->dim(), seed), mode, seed);
  run_lanczos(process, mode, {.k = k, .max_iters = 3000, .tol = 1e-8, .which = which},
              [](const LanczosOutcome&) { return true; });
  Certified result;
  result.pairs = ritz_evidence(*op, process.factorization(), process.basis(), mode,
                               {.k = k, .which = which, .tol = 1e-8, .norm_a = problem.norm()})
                     .pairs;
  std::vector<RitzPair> deflated = result.pairs;
  for (auto& pair :
       companions(ritz_candidates(process.factorization(), mode), process.basis(), which, k, 2 * k)) {
    deflated.push_back(std::move(pair));
  }
  result.certificate = certify(
      *op, deflated, {.k = k, .which = which, .budget = budget, .seed = seed, .norm_a = problem.norm()});
  return result;
}

// The k largest of pairs and found.
std::vector<double> top(const Certified& result, size_t k) {
  std::vector<double> values;
  for (const auto& pair : result.pairs) values.push_back(pair.value);
  for (const auto& pair : result.certificate.found) values.push_back(pair.value);
  std::sort(values.rbegin(), values.rend());
  values.resize(std::min(k, values.size()));
  return values;
}

TEST(Certificate, SpikedSpectraAreCertifiedInFewProducts) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1), power_law(2)}) {
    const Certified result = run_and_certify(problem, Which::largest, 1);
    EXPECT_TRUE(result.certificate.certified_largest) << problem.name;
    EXPECT_FALSE(result.certificate.certified_smallest);
    EXPECT_TRUE(result.certificate.found.empty()) << problem.name;
    EXPECT_GE(result.certificate.upper_bound, problem.spectrum[10]) << problem.name;
    EXPECT_LE(result.certificate.upper_bound, problem.spectrum[9]) << problem.name;
    EXPECT_LE(result.certificate.calls, 15) << problem.name;
  }
}

TEST(Certificate, MissedCopiesOfTheClustersAreFound) {
  const Problem problem = clusters();
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Certified result = run_and_certify(problem, Which::largest, seed, 300);
    EXPECT_TRUE(result.certificate.certified_largest) << seed;
    EXPECT_FALSE(result.certificate.found.empty());
    const std::vector<double> values = top(result, 10);
    for (size_t i = 0; i < 10; ++i)
      EXPECT_NEAR(values[i], problem.spectrum[i], 1e-7) << "seed " << seed << " " << i;
  }
}

TEST(Certificate, TwinsOfTheSquareLaplacianAreFound) {
  const Problem problem = laplacian_2d(16, 16);
  const Certified result = run_and_certify(problem, Which::largest, 1, 600);
  EXPECT_TRUE(result.certificate.certified_largest);
  const std::vector<double> values = top(result, 10);
  for (size_t i = 0; i < 10; ++i) EXPECT_NEAR(values[i], problem.spectrum[i], 1e-7);
}

// The run has found one copy of each; the last wanted value has a twin that is not wanted, and what is missed
// takes companions with it.
TEST(Certificate, TwinsAtTheEdgeOfTheWantedValuesDoNotSpendTheBudget) {
  const Problem problem = diagonal_problem("twins", joined({8, 8, 5, 5, 3}, linspace(0, 1, 395)));
  for (int64_t steps : {14, 25}) {
    for (int64_t k : {1, 2, 3}) {
      const auto op = problem.make();
      const auto process = run_steps(*op, Full{}, 1, steps);
      const auto candidates = ritz_candidates(process.factorization(), Full{});
      std::vector<RitzPair> pairs = wanted_pairs(candidates, process.basis(), Which::largest, k);
      for (auto& pair : pairs) pair.verdict = Verdict::converged;
      for (auto& pair : companions(candidates, process.basis(), Which::largest, k, 3)) pairs.push_back(pair);
      const Certificate certificate = certify(*op, pairs, {.k = k, .budget = 300, .norm_a = 8});
      EXPECT_TRUE(certificate.certified_largest) << steps << " steps, k " << k;
      EXPECT_LE(certificate.calls, 40) << steps << " steps, k " << k;
    }
  }
}

TEST(Certificate, BothEndsOfAnIndefiniteOperatorAreCertified) {
  const Problem problem = indefinite();
  const auto n = problem.spectrum.size();
  const Certified both = run_and_certify(problem, Which::both, 2);
  EXPECT_TRUE(both.certificate.certified_largest);
  EXPECT_TRUE(both.certificate.certified_smallest);
  EXPECT_GE(both.certificate.upper_bound, problem.spectrum[5]);
  EXPECT_LE(both.certificate.lower_bound, problem.spectrum[n - 6]);
  const Certified magnitude = run_and_certify(problem, Which::magnitude, 2);
  EXPECT_TRUE(magnitude.certificate.certified_largest && magnitude.certificate.certified_smallest);
  for (const Certified& one : {both, magnitude}) EXPECT_LE(one.certificate.calls, 15);
}

// The tenth value lies in the bulk, and outliers of the other end take the first companions.
TEST(Certificate, SmallEndOfAnIndefiniteOperatorIsCertified) {
  const Problem problem = indefinite();
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Certified lower = run_and_certify(problem, Which::smallest, seed);
    EXPECT_TRUE(lower.certificate.certified_smallest) << seed;
    EXPECT_FALSE(lower.certificate.certified_largest);
    EXPECT_LE(lower.certificate.calls, 50) << seed;
    EXPECT_LE(lower.certificate.lower_bound, problem.spectrum[problem.spectrum.size() - 11]);
  }
}

TEST(Certificate, SpectrumWithoutAGapEndsWithinTheBudgetUncertifiedWithAValidBound) {
  const Problem problem = marchenko_pastur();
  const Certified result = run_and_certify(problem, Which::largest, 1, 15);
  EXPECT_FALSE(result.certificate.certified_largest);
  EXPECT_LE(result.certificate.calls, 15);
  EXPECT_GE(result.certificate.upper_bound, problem.spectrum[10]);
}

TEST(Certificate, StopsByItselfWhereTheBoundFallsTooSlowly) {
  const Problem problem = laplacian_1d();
  Certificate certificate;
  const auto op = problem.make();
  // The ten largest exactly, so that nothing is missed; the eleventh is within 1e-4 of the tenth.
  std::vector<RitzPair> pairs;
  for (size_t i = 0; i < 10; ++i) {
    RitzPair pair;
    pair.value = problem.spectrum[i];
    pair.verdict = Verdict::converged;
    pair.vector.assign(1000, 0.0);
    pair.vector[999 - i] = 1;  // the operator's diagonal ascends
    pairs.push_back(pair);
  }
  certificate = certify(*op, pairs, {.k = 10, .budget = 300, .norm_a = problem.norm()});
  EXPECT_FALSE(certificate.certified_largest);
  EXPECT_TRUE(certificate.hopeless);
  EXPECT_LE(certificate.calls, 30);
  EXPECT_GE(certificate.upper_bound, problem.spectrum[10]);
}

TEST(Certificate, BudgetIsNeverExceeded) {
  const Problem problem = clusters();
  for (int64_t budget = 1; budget <= 40; ++budget) {
    EXPECT_LE(run_and_certify(problem, Which::largest, 0, budget).certificate.calls, budget);
  }
}

TEST(Certificate, KeepGoingStopsIt) {
  const Problem problem = power_law(1);
  const auto op = problem.make();
  const Certificate certificate =
      certify(*op, {}, {.k = 1, .norm_a = 1}, [](int64_t calls) { return calls < 3; });
  EXPECT_TRUE(certificate.stopped);
  EXPECT_EQ(certificate.calls, 3);
}

// Of the eigenvalue behind the wanted ones, although the companions' own vectors are not exact.
TEST(Certificate, CompanionsMakeTheBoundCheaperAndKeepItValid) {
  for (const Problem& problem : {indefinite(), power_law(1), power_law(2), marchenko_pastur()}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const auto op = problem.make();
      LanczosProcess process(*op, random_start(op->dim(), seed), Full{}, seed);
      run_lanczos(process, Full{}, {.k = 10, .max_iters = 500, .tol = 1e-8},
                  [](const LanczosOutcome&) { return true; });
      const auto& f = process.factorization();
      const auto candidates = ritz_candidates(f, Full{});
      std::vector<RitzPair> pairs = wanted_pairs(candidates, process.basis(), Which::largest, 10);
      for (auto& pair : pairs) pair.verdict = Verdict::converged;
      const CertificateOptions options = {.k = 10, .budget = 100, .seed = seed, .norm_a = problem.norm()};
      const Certificate alone = certify(*op, pairs, options);
      for (auto& pair : companions(candidates, process.basis(), Which::largest, 10, 10))
        pairs.push_back(pair);
      const Certificate together = certify(*op, pairs, options);
      EXPECT_TRUE(!alone.certified_largest || together.calls < alone.calls) << problem.name;
      EXPECT_TRUE(together.certified_largest) << problem.name;
      EXPECT_GE(together.upper_bound, problem.spectrum[10]) << problem.name;
    }
  }
}

TEST(Certificate, WholeSpectrumIsCertifiedWithoutAProduct) {
  const Certified result = run_and_certify(diagonal_problem("small", {3, 2, 1}), Which::largest, 1, 10, 3);
  EXPECT_TRUE(result.certificate.certified_largest);
  EXPECT_EQ(result.certificate.calls, 0);
}

TEST(Certificate, UpperBoundHoldsInEveryOfManyRuns) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1), marchenko_pastur()}) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      const auto op = problem.make();
      LanczosProcess process(*op, random_start(op->dim(), seed), Full{}, seed);
      for (int m = 1; m <= 15; ++m) {
        process.step();
        const auto& f = process.factorization();
        const double bound = probabilistic_upper_bound(RandomStart{f.alphas(), f.beta}, 1e-6, op->dim());
        EXPECT_GE(bound * (1 + 1e-14), problem.spectrum[0]);
      }
    }
  }
}

struct Loose {
  std::vector<RitzPair> pairs;
  Certificate certificate;
};

Loose run_full(const Problem& problem, int64_t k, double tol, uint64_t seed, int64_t budget = 50) {
  const auto op = problem.make();
  LanczosProcess process(*op, random_start(op->dim(), seed), Full{}, seed);
  run_lanczos(process, Full{}, {.k = k, .max_iters = 100, .tol = tol},
              [](const LanczosOutcome&) { return true; });
  Loose result;
  result.pairs = ritz_evidence(*op, process.factorization(), process.basis(), Full{},
                               {.k = k, .tol = tol, .norm_a = problem.norm()})
                     .pairs;
  result.certificate = certify(
      *op, result.pairs, {.k = k, .tol = tol, .budget = budget, .seed = seed, .norm_a = problem.norm()});
  return result;
}

// A deflated value that does not lie above the bound may lift an eigenvalue over it by its residual.
TEST(Certificate, BoundsHoldBesidePairsThatAreLooselyConverged) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Philox random(seed, "test", "three values");
    Spectrum spectrum = {1.3, -0.1, -0.4};
    if (seed % 2 == 1) {
      for (size_t i = 0; i < 3; ++i) spectrum[i] = 2 * random.uniform(i) - 1;
    }
    const Problem problem = diagonal_problem("three", spectrum);
    const auto [pairs, certificate] = run_full(problem, 2, seed % 3 == 0 ? 0.1 : 0.3, seed);
    SCOPED_TRACE(seed);
    expect_bounds(problem.spectrum, pairs, certificate, 1e-14);
  }
}

// One start vector does not tell eigenvalues apart that are closer than the level of a breakdown.
TEST(Certificate, BoundBehindAnInvariantSubspaceHoldsForEigenvaluesThatRoundingHides) {
  for (double h : {1e-9, 1e-10, 1e-11}) {
    Spectrum spectrum(10000, 1.0);
    spectrum[0] = 2;
    spectrum[1] = 1 + h;
    const Problem problem = diagonal_problem("hidden", std::move(spectrum));
    for (uint64_t seed = 0; seed < 10; ++seed) {
      const Certificate certificate = run_full(problem, 1, 1e-8, seed).certificate;
      EXPECT_TRUE(certificate.certified_largest);
      EXPECT_GE(certificate.upper_bound, 1 + h) << h << " " << seed;
    }
  }
}

TEST(Certificate, BoundOfARoundStaysWhereTheBudgetEndsInTheNextOne) {
  Spectrum spectrum(300);
  for (size_t i = 0; i < spectrum.size(); ++i) spectrum[i] = 1 - 0.25 * static_cast<double>(i % 5);
  const Problem problem = diagonal_problem("five values", std::move(spectrum));
  for (int64_t budget = 10; budget < 50; ++budget)
    EXPECT_LE(run_full(problem, 12, 1e-8, 1, budget).certificate.upper_bound, 1.01) << budget;
}

TEST(Certificate, OfAScaledIdentityTakesAFewIndependentRounds) {
  const Problem problem = diagonal_problem("identity", Spectrum(10000, 3.0));
  const Certificate certificate = run_full(problem, 2, 1e-8, 1).certificate;
  EXPECT_TRUE(certificate.certified_largest);
  EXPECT_LE(certificate.calls, 6);
}

}  // namespace
}  // namespace ritzflow::krylov
