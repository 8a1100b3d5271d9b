#include "krylov/certificate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "krylov/lanczos.h"
#include "problems.h"

namespace ritzflow {
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
  result.certificate = certify(
      *op, result.pairs, {.k = k, .which = which, .budget = budget, .seed = seed, .norm_a = problem.norm()});
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
    EXPECT_LE(result.certificate.calls, problem.name == "power_law_1" ? 20 : 15) << problem.name;
  }
}

TEST(Certificate, MissedCopiesOfTheClustersAreFound) {
  const Problem problem = clusters();
  for (uint64_t seed = 0; seed < 5; ++seed) {
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

TEST(Certificate, BothEndsOfAnIndefiniteOperatorAreCertified) {
  const Problem problem = indefinite();
  const auto n = problem.spectrum.size();
  const Certified both = run_and_certify(problem, Which::both, 2);
  EXPECT_TRUE(both.certificate.certified_largest);
  EXPECT_TRUE(both.certificate.certified_smallest);
  EXPECT_GE(both.certificate.upper_bound, problem.spectrum[5]);
  EXPECT_LE(both.certificate.lower_bound, problem.spectrum[n - 6]);
  const Certified lower = run_and_certify(problem, Which::smallest, 2);
  EXPECT_TRUE(lower.certificate.certified_smallest);
  EXPECT_FALSE(lower.certificate.certified_largest);
  const Certified magnitude = run_and_certify(problem, Which::magnitude, 2);
  EXPECT_TRUE(magnitude.certificate.certified_largest && magnitude.certificate.certified_smallest);
}

TEST(Certificate, SpectrumWithoutAGapEndsAtTheBudgetUncertifiedWithAValidBound) {
  const Problem problem = marchenko_pastur();
  const Certified result = run_and_certify(problem, Which::largest, 1, 15);
  EXPECT_FALSE(result.certificate.certified_largest);
  EXPECT_EQ(result.certificate.calls, 15);
  EXPECT_GE(result.certificate.upper_bound, problem.spectrum[10]);
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
        EXPECT_GE(probabilistic_upper_bound(f.alphas(), f.beta, 1e-6, op->dim()) * (1 + 1e-14),
                  problem.spectrum[0]);
      }
    }
  }
}

}  // namespace
}  // namespace ritzflow
