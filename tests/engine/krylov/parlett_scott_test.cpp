#include <gtest/gtest.h>

#include <cmath>

#include "krylov/lanczos.h"
#include "krylov/ritz/evidence.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

int64_t events(const KrylovFactorization& f) {
  return std::count_if(f.columns.begin(), f.columns.end(), [](const auto& column) {
    return column.size() > 2 &&
           std::any_of(column.begin(), column.end() - 2, [](double c) { return c != 0; });
  });
}

TEST(ParlettScott, IdentityHoldsAndNoGhostIsMade) {
  for (const Problem& problem : standard_problems()) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const auto op = problem.make();
      const auto process = run_steps(*op, ParlettScott{}, seed, std::min<int64_t>(120, op->dim() - 1));
      EXPECT_LE(identity_defect(*op, process.factorization(), process.basis()), 4e-15 * problem.norm())
          << problem.name;
      // distances between those of a cluster and the level at which a vector counts as good are the hard ones
      const double level = problem.name == "clusters" ? 1e-3 : 1e-6;
      for (double loss : orthogonality(process.basis()))
        EXPECT_LE(loss, level) << problem.name << " " << seed;
    }
  }
}

TEST(ParlettScott, DoesNothingWhereNothingConverges) {
  const auto op = laplacian_1d().make();
  EXPECT_EQ(events(run_steps(*op, ParlettScott{}, 1, 200).factorization()), 0);
}

TEST(ParlettScott, ActsOnAPartOfTheStepsOnly) {
  const auto op = marchenko_pastur().make();
  const int64_t count = events(run_steps(*op, ParlettScott{}, 1, 150).factorization());
  EXPECT_GT(count, 0);
  EXPECT_LE(count, 75);
}

TEST(ParlettScott, ReturnsTheTopTenWithTrueResiduals) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1), rank_deficient()}) {
    const auto op = problem.make();
    const auto process = run_steps(*op, ParlettScott{}, 1, 90);
    const RitzEvidence evidence = ritz_evidence(*op, process.factorization(), process.basis(), ParlettScott{},
                                                {.k = 10, .tol = 1e-8, .norm_a = problem.norm()});
    ASSERT_EQ(evidence.pairs.size(), 10u) << problem.name;
    for (size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(evidence.pairs[i].verdict, Verdict::converged) << problem.name << i;
      EXPECT_NEAR(evidence.pairs[i].value, problem.spectrum[i], 1e-11 * problem.norm());
      EXPECT_LE(evidence.pairs[i].residual, 2 * evidence.pairs[i].estimate + 2e-13 * problem.norm());
    }
  }
}

}  // namespace
}  // namespace ritzflow::krylov
