#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "krylov/lanczos.h"
#include "krylov/ritz/evidence.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

constexpr ThickRestart mode = {.krylov_dim = 24, .k = 10};

TEST(ThickRestart, IdentityHoldsAcrossRestartsWithAtMostKrylovDimRows) {
  for (const Problem& problem : standard_problems()) {
    for (uint64_t seed = 0; seed < 2; ++seed) {
      const auto op = problem.make();
      const auto process = run_steps(*op, mode, seed, 300);
      const auto& f = process.factorization();
      EXPECT_LE(f.size(), 24);
      EXPECT_EQ(process.basis().size(), f.size());

      EXPECT_LE(identity_defect(*op, f, process.basis()), 4e-15 * problem.norm()) << problem.name;
      for (double loss : orthogonality(process.basis())) EXPECT_LE(loss, 1e-13) << problem.name;
    }
  }
}

TEST(ThickRestart, ReturnsTheWantedEndsWithEveryInterval) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1), marchenko_pastur(200),
                                 plus_minus(), gaussian_ensemble()}) {
    for (Which which : {Which::largest, Which::smallest, Which::both, Which::magnitude}) {
      // The lower end of a semi-definite spectrum lies in its bulk, and two equal magnitudes are either's.
      const bool both_ends = problem.name == "indefinite" || problem.name == "gaussian_ensemble" ||
                             (problem.name == "plus_minus" && which != Which::magnitude);
      if (which != Which::largest && !both_ends) continue;
      const ThickRestart wanted = {.krylov_dim = 30, .k = 8, .which = which};
      const auto op = problem.make();
      LanczosProcess process(*op, random_start(op->dim(), 1), wanted, 1);
      const auto outcome =
          run_lanczos(process, wanted, {.k = 8, .max_iters = 2000, .tol = 1e-8, .which = which},
                      [](const LanczosOutcome&) { return true; });
      EXPECT_EQ(outcome.converged, 8) << problem.name << static_cast<int>(which);
      const RitzEvidence evidence =
          ritz_evidence(*op, process.factorization(), process.basis(), wanted,
                        {.k = 8, .which = which, .tol = 1e-8, .norm_a = problem.norm()});
      ASSERT_EQ(evidence.pairs.size(), 8u);
      std::vector<double> expected;
      for (const auto& end : wanted_ends(problem.spectrum, which, 8)) {
        for (int64_t r = 0; r < end.count; ++r)
          expected.push_back(problem.spectrum[end.order[static_cast<size_t>(r)]]);
      }
      std::sort(expected.rbegin(), expected.rend());
      for (size_t i = 0; i < 8; ++i) {
        const RitzPair& pair = evidence.pairs[i];
        EXPECT_EQ(pair.verdict, Verdict::converged);
        EXPECT_NEAR(pair.value, expected[i], 1e-10 * problem.norm());
        EXPECT_LE(pair.interval[0], expected[i]);
        EXPECT_GE(pair.interval[1], expected[i]);
        EXPECT_NEAR(pair.basis_norm, 1, 1e-12);
        EXPECT_LE(pair.residual, 2 * pair.estimate + 1e-13 * problem.norm());
        EXPECT_GE(pair.residual, pair.estimate / 2 - 1e-13 * problem.norm());
      }
    }
  }
}

TEST(ThickRestart, NeedsAboutTheProductsOfFull) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1), power_law(2)}) {
    int64_t products[2];
    for (int restarted : {0, 1}) {
      Reorthogonalization m = Full{};
      if (restarted) m = mode;
      const auto op = problem.make();
      LanczosProcess process(*op, random_start(op->dim(), 1), m, 1);
      run_lanczos(process, m, {.k = 10, .max_iters = 500, .tol = 1e-8},
                  [](const LanczosOutcome&) { return true; });
      products[restarted] = process.factorization().products;
    }
    EXPECT_LE(static_cast<double>(products[1]), 1.1 * static_cast<double>(products[0]) + 1) << problem.name;
  }
}

TEST(ThickRestart, InvariantSubspaceIsLeftByAFreshDirection) {
  DiagonalOperator op(Spectrum(40, 2.5));
  const auto process = run_steps(op, ThickRestart{.krylov_dim = 8, .k = 4}, 1, 30);
  EXPECT_EQ(process.factorization().products, 30);
  EXPECT_LE(identity_defect(op, process.factorization(), process.basis()), 4e-15 * 2.5);
}

TEST(ThickRestart, SmallDimensionEndsAtTheDimension) {
  for (int n = 1; n <= 3; ++n) {
    DiagonalOperator op(linspace(1, 3, n));
    const auto process = run_steps(op, ThickRestart{.krylov_dim = 40, .k = 10}, 4, 10);
    EXPECT_EQ(process.factorization().size(), n);
    EXPECT_TRUE(process.factorization().exhausted);
  }
}

TEST(ThickRestart, PowerOfTwoScalesTheHistoryBitwise) {
  const Problem problem = indefinite();
  const double factor = std::ldexp(1.0, -30);
  DiagonalOperator a(problem.spectrum), b(scaled(problem.spectrum, factor));
  const auto x = run_steps(a, mode, 3, 100), y = run_steps(b, mode, 3, 100);
  ASSERT_EQ(x.factorization().size(), y.factorization().size());
  for (int64_t j = 0; j < x.factorization().size(); ++j) {
    EXPECT_EQ(x.factorization().alpha(j) * factor, y.factorization().alpha(j));
    EXPECT_EQ(x.factorization().beta[j] * factor, y.factorization().beta[j]);
  }
}

TEST(ThickRestart, TooFewRowsAreRefused) {
  DiagonalOperator op(linspace(1, 3, 100));
  EXPECT_THROW(LanczosProcess(op, random_start(100, 1), ThickRestart{.krylov_dim = 11, .k = 10}, 1),
               InputError);
}

}  // namespace
}  // namespace ritzflow::krylov
