#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "krylov/lanczos.h"
#include "krylov/ritz/evidence.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

// Rows subtracted beyond the three-term recurrence, and steps at which that happened.
struct Work {
  int64_t rows = 0, events = 0;
};

Work work_of(const KrylovFactorization& f) {
  Work work;
  for (const auto& column : f.columns) {
    int64_t rows = 0;
    for (size_t i = 0; i + 2 < column.size(); ++i) rows += column[i] != 0;
    work.rows += rows;
    work.events += rows > 0;
  }
  return work;
}

TEST(Partial, KeepsSemiOrthogonalityAndTheIdentity) {
  const double level = std::sqrt(std::numeric_limits<double>::epsilon());
  for (const Problem& problem : standard_problems()) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const auto op = problem.make();
      const auto process = run_steps(*op, Partial{}, seed, std::min<int64_t>(120, op->dim() - 1));
      EXPECT_LE(identity_defect(*op, process.factorization(), process.basis()), 4e-15 * problem.norm())
          << problem.name;
      for (double loss : orthogonality(process.basis()))
        EXPECT_LE(loss, level) << problem.name << " " << seed;
    }
  }
}

TEST(Partial, DoesNothingWhereNothingConverges) {
  const auto op = laplacian_1d().make();
  EXPECT_EQ(work_of(run_steps(*op, Partial{}, 1, 200).factorization()).events, 0);
}

TEST(Partial, CostsAFractionOfFullOnSlowSpectra) {
  const auto op = marchenko_pastur().make();
  const Work work = work_of(run_steps(*op, Partial{}, 1, 150).factorization());
  EXPECT_GT(work.events, 0);
  EXPECT_LE(static_cast<double>(work.rows), 0.2 * 150 * 149 / 2);
}

TEST(Partial, ReturnsTheTopTenWithTrueResiduals) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1)}) {
    const auto op = problem.make();
    const auto process = run_steps(*op, Partial{}, 1, 60);
    const RitzEvidence evidence = ritz_evidence(*op, process.factorization(), process.basis(), Partial{},
                                                {.k = 10, .tol = 1e-8, .norm_a = problem.norm()});
    ASSERT_EQ(evidence.pairs.size(), 10u) << problem.name;
    for (size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(evidence.pairs[i].verdict, Verdict::converged);
      EXPECT_NEAR(evidence.pairs[i].value, problem.spectrum[i], 1e-12 * problem.norm());
      EXPECT_LE(evidence.pairs[i].residual, 2 * evidence.pairs[i].estimate + 1e-13 * problem.norm());
    }
  }
}

}  // namespace
}  // namespace ritzflow::krylov
