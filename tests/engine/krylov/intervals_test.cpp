#include "krylov/ritz/intervals.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evidence_checks.h"
#include "krylov/certificate/certificate.h"
#include "krylov/lanczos.h"
#include "krylov/ritz/evidence.h"

namespace ritzflow::krylov {
namespace {

RitzPair pair_at(double value, double residual, Verdict verdict = Verdict::converged) {
  RitzPair pair;
  pair.value = value;
  pair.residual = residual;
  pair.shift = 0;
  pair.verdict = verdict;
  pair.interval = {value - residual, value + residual};
  return pair;
}

double half_width(const RitzPair& pair) { return 0.5 * (pair.interval[1] - pair.interval[0]); }

TEST(Clusters, PairsWhoseIntervalsOverlapShareANumberAndGhostsHaveNone) {
  const std::vector<RitzPair> pairs = {pair_at(5, 0.1), pair_at(5, 0.1, Verdict::ghost), pair_at(4.95, 0.1),
                                       pair_at(4.8, 0.06), pair_at(3, 0.1)};
  EXPECT_EQ(clusters(pairs), (std::vector<int64_t>{0, -1, 0, 0, 1}));
  EXPECT_TRUE(clusters({}).empty());
}

TEST(Gaps, WidthIsTheSquareOfTheResidualOverTheGapWhereTheCertificateKnowsAllOthers) {
  std::vector<RitzPair> pairs = {pair_at(5, 0.1), pair_at(3, 0.01)};
  narrow_by_gaps(pairs, {.upper = 1}, 0);
  EXPECT_DOUBLE_EQ(pairs[0].gap, 5 - 3.01);
  EXPECT_NEAR(half_width(pairs[0]), 0.01 / (5 - 3.01), 1e-15);
  EXPECT_DOUBLE_EQ(pairs[1].gap, 4.9 - 3);
  EXPECT_NEAR(half_width(pairs[1]), 1e-4 / 1.9, 1e-15);
}

TEST(Gaps, NothingIsNarrowedWithoutABoundOrWhereAPairReachesIt) {
  for (const Outside& outside : {Outside{}, Outside{.upper = 2.995}, Outside{.lower = -1}}) {
    std::vector<RitzPair> pairs = {pair_at(5, 0.1), pair_at(3, 0.01)};
    narrow_by_gaps(pairs, outside, 0);
    for (const auto& pair : pairs) EXPECT_EQ(pair.gap, 0);
    EXPECT_NEAR(half_width(pairs[0]), 0.1, 1e-15);
  }
}

TEST(Gaps, LowerEndIsTheMirroredUpperOne) {
  std::vector<RitzPair> pairs = {pair_at(-3, 0.01), pair_at(-5, 0.1)};
  narrow_by_gaps(pairs, {.lower = -1}, 0);
  EXPECT_NEAR(half_width(pairs[1]), 0.01 / (5 - 3.01), 1e-15);
  EXPECT_NEAR(half_width(pairs[0]), 1e-4 / 1.9, 1e-15);
}

TEST(Gaps, MembersOfAClusterKeepTheirResidualIntervals) {
  std::vector<RitzPair> pairs = {pair_at(5, 0.1), pair_at(4.9, 0.1), pair_at(3, 0.1)};
  narrow_by_gaps(pairs, {.upper = 1}, 0);
  EXPECT_EQ(pairs[0].gap, 0);
  EXPECT_EQ(pairs[1].gap, 0);
  EXPECT_GT(pairs[2].gap, 1);
}

// Coarse pairs, where the two widths differ most: all intervals hold an eigenvalue, and they are far
// narrower.
TEST(Gaps, NarrowedIntervalsStillContainAnEigenvalue) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1), power_law(2), plus_minus()}) {
    for (Which which : {Which::largest, Which::both}) {
      if (which == Which::both && problem.spectrum.back() >= 0) continue;
      for (uint64_t seed = 0; seed < 10; ++seed) {
        const auto op = problem.make();
        const EvidenceOptions wanted = {.k = 6, .which = which, .tol = 1e-4, .norm_a = problem.norm()};
        LanczosProcess process(*op, random_start(op->dim(), seed), Full{}, seed);
        run_lanczos(process, Full{}, {.k = 6, .max_iters = 300, .tol = 1e-4, .which = which},
                    [](const LanczosOutcome&) { return true; });
        auto pairs = ritz_evidence(*op, process.factorization(), process.basis(), Full{}, wanted).pairs;
        const Certificate known = certify(
            *op, pairs, {.k = 6, .which = which, .tol = 1e-4, .seed = seed, .norm_a = problem.norm()});
        ASSERT_TRUE(known.certified_largest) << problem.name;
        narrow_by_gaps(pairs, {known.lower_bound, known.upper_bound}, 1e-15 * problem.norm());
        int64_t narrowed = 0;
        for (const auto& pair : pairs) {
          narrowed += pair.gap > 0;
          EXPECT_TRUE(contains_an_eigenvalue(pair, problem.spectrum))
              << problem.name << " " << pair.value << " +- " << half_width(pair);
        }
        EXPECT_GE(narrowed, 4) << problem.name << " seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace ritzflow::krylov
