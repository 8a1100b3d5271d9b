// Spectra of few distinct values: the Krylov space is used up again and again, and what is left of a vector
// then is amplified rounding.
#include <gtest/gtest.h>

#include <cmath>

#include "krylov/ritz/evidence.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

constexpr int64_t kDim = 300, kSteps = 160;

Problem few_values(uint64_t seed) {
  const Philox random(seed, "test", "few values");
  const int64_t distinct = 3 + static_cast<int64_t>(seed % 5);
  Spectrum spectrum(kDim);
  for (int64_t i = 0; i < kDim; ++i)
    spectrum[static_cast<size_t>(i)] = 2 * random.uniform(static_cast<uint64_t>(i % distinct)) - 1;
  return diagonal_problem("few values", std::move(spectrum));
}

Problem low_rank(uint64_t seed) {
  Spectrum spectrum(kDim, 0.0);
  for (size_t i = 0; i < 15; ++i) spectrum[i] = 100 * std::pow(0.7, static_cast<double>(i + seed % 3));
  return diagonal_problem("low rank", std::move(spectrum));
}

class Breakdown : public testing::TestWithParam<Reorthogonalization> {
 protected:
  template <class Check>
  void for_each_run(const Check& check) const {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      for (const Problem& problem : {few_values(seed), low_rank(seed)}) {
        SCOPED_TRACE(problem.name + " " + std::to_string(seed));
        const auto op = problem.make();
        check(problem, *op, run_steps(*op, GetParam(), seed, kSteps));
      }
    }
  }
};

TEST_P(Breakdown, OrthogonalityIsKeptBehindIt) {
  // Ritz vectors that parlett_scott does not count as good yet may lean on one another somewhat longer.
  const double level = std::holds_alternative<ParlettScott>(GetParam()) ? 1e-6 : 1.5e-8;
  for_each_run([&](const Problem&, LinearOperator&, const LanczosProcess& process) {
    double worst = 0;
    for (double loss : orthogonality(process.basis())) worst = std::max(worst, loss);
    EXPECT_LE(worst, level);
  });
}

TEST_P(Breakdown, NormEstimateIsNeverAboveTheNorm) {
  for_each_run([](const Problem& problem, LinearOperator&, const LanczosProcess& process) {
    EXPECT_LE(process.factorization().norm_estimate, problem.norm() * (1 + 1e-14));
  });
}

TEST_P(Breakdown, NoPairIsCalledAGhostAndConvergedOnesAreEigenvalues) {
  for_each_run([](const Problem& problem, LinearOperator& op, const LanczosProcess& process) {
    const RitzEvidence evidence = ritz_evidence(op, process.factorization(), process.basis(), GetParam(),
                                                {.k = 60, .tol = 1e-8, .norm_a = problem.norm()});
    ASSERT_EQ(evidence.pairs.size(), 60u);
    for (const RitzPair& pair : evidence.pairs) {
      EXPECT_TRUE(pair.verdict == Verdict::converged || pair.verdict == Verdict::unconverged);
      if (pair.verdict != Verdict::converged) continue;  // of the last, unfinished space; or 0
      const auto distance = [&](double a) { return std::abs(a - pair.value); };
      EXPECT_LE(distance(*std::ranges::min_element(problem.spectrum, {}, distance)), 1e-9 * problem.norm());
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Modes, Breakdown, testing::Values(Full{}, Partial{}, ParlettScott{}),
                         [](const auto& mode) { return mode_name(mode.param); });

}  // namespace
}  // namespace ritzflow::krylov
