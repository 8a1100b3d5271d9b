#include "krylov/ritz/evidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "core/error.h"
#include "evidence_checks.h"
#include "krylov/lanczos.h"

namespace ritzflow::krylov {
namespace {

const std::vector<Reorthogonalization> modes = {Off{},         Window{8, 5},       Full{},
                                                Partial{1e-7}, ParlettScott{1e-7}, ThickRestart{}};
constexpr uint64_t kSeeds = 3;

RitzEvidence evidence_after(const Problem& problem, const Reorthogonalization& mode, uint64_t seed,
                            int64_t steps, Which which = Which::largest, int64_t k = 10) {
  const auto op = problem.make();
  const auto process = run_steps(*op, mode, seed, steps);
  return ritz_evidence(*op, process.factorization(), process.basis(), mode,
                       {.k = k, .which = which, .tol = 1e-8, .norm_a = problem.norm()});
}

TEST(Evidence, FullHasNoGhostsAndOffHasThem) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    EXPECT_EQ(evidence_after(psd_curvature(), Full{}, seed, 100).naive_ghosts, 0);
    EXPECT_GE(evidence_after(psd_curvature(), Off{}, seed, 100).naive_ghosts, 5);
  }
}

TEST(Evidence, OffReturnsTheTopTenOfCurvatureSpectraAfterTheGhostFilter) {
  for (const Problem& problem : {psd_curvature(), indefinite(), power_law(1)}) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const RitzEvidence evidence = evidence_after(problem, Off{}, seed, 100);
      size_t found = 0;
      for (const auto& pair : evidence.pairs) {
        if (pair.verdict != Verdict::converged) continue;
        EXPECT_NEAR(pair.value, problem.spectrum[found], 1e-10 * problem.norm()) << problem.name;
        ++found;
      }
      EXPECT_EQ(found, 10u) << problem.name << " seed " << seed;
    }
  }
}

TEST(Evidence, PairsOnAShelfHaveTheBitsOfThoseInMemory) {
  for (const Problem& problem : {clusters(), indefinite()}) {
    for (const auto& mode : modes) {
      const auto op = problem.make();
      const auto process = run_steps(*op, mode, 1, 60);
      const auto& f = process.factorization();
      EvidenceOptions options = {.k = 8, .which = Which::both, .tol = 1e-8, .norm_a = problem.norm()};
      const RitzEvidence held = ritz_evidence(*op, f, process.basis(), mode, options);
      const auto shelf = make_ram_basis(op->dim());
      options.shelf = shelf.get();
      const RitzEvidence away = ritz_evidence(*op, f, process.basis(), mode, options);
      ASSERT_EQ(away.pairs.size(), held.pairs.size());
      for (size_t i = 0; i < held.pairs.size(); ++i) {
        const RitzPair &a = away.pairs[i], &b = held.pairs[i];
        EXPECT_EQ(a.vector.capacity(), 0u);
        EXPECT_EQ(shelf->row(a.shelf_row), b.vector) << problem.name << " " << mode_name(mode);
        EXPECT_EQ(std::tuple(a.value, a.residual, a.verdict), std::tuple(b.value, b.residual, b.verdict));
      }
    }
  }
}

TEST(Evidence, FullReturnsEveryEigenvalueOfStrakosToRounding) {
  const Problem problem = strakos(24, 0.7);
  const RitzEvidence evidence = evidence_after(problem, Full{}, 1, 50, Which::largest, 24);
  ASSERT_EQ(evidence.pairs.size(), 24u);
  for (size_t i = 0; i < 24; ++i) {
    EXPECT_NEAR(evidence.pairs[i].value, problem.spectrum[i], 1e-14 * problem.norm());
    EXPECT_EQ(evidence.pairs[i].verdict, Verdict::converged);
  }
}

TEST(Evidence, FullReturnsBothMembersOfWilkinsonsPair) {
  const RitzEvidence evidence = evidence_after(wilkinson(), Full{}, 1, 21, Which::largest, 2);
  ASSERT_EQ(evidence.pairs.size(), 2u);
  for (const auto& pair : evidence.pairs) {
    EXPECT_NEAR(pair.value, 10.746194182903393, 1e-13);
    EXPECT_EQ(pair.verdict, Verdict::converged);
  }
}

TEST(Evidence, MoreWantedThanTheDimensionGivesTheWholeSpectrum) {
  for (int n = 1; n <= 3; ++n) {
    const Problem problem = diagonal_problem("small", linspace(1, 3, n));
    const RitzEvidence evidence = evidence_after(problem, Full{}, 1, 10);
    ASSERT_EQ(static_cast<int>(evidence.pairs.size()), n);
    for (const auto& pair : evidence.pairs) EXPECT_EQ(pair.verdict, Verdict::converged);
  }
}

TEST(Evidence, ScaledIdentityGivesEveryCopyInFull) {
  for (double c : {0.0, 2.5}) {
    const RitzEvidence evidence =
        evidence_after(diagonal_problem("identity", Spectrum(20, c)), Full{}, 1, 15);
    int64_t converged = 0;
    for (const auto& pair : evidence.pairs) {
      EXPECT_NEAR(pair.value, c, 1e-13);
      converged += pair.verdict == Verdict::converged;
    }
    EXPECT_EQ(converged, 10);
  }
}

TEST(Evidence, BothEndsAreReturnedHalfAndHalf) {
  const Problem problem = indefinite();
  const RitzEvidence evidence = evidence_after(problem, Full{}, 1, 120, Which::both, 7);
  ASSERT_EQ(evidence.pairs.size(), 7u);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(evidence.pairs[i].value, problem.spectrum[i], 1e-10 * problem.norm());
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(evidence.pairs[6 - i].value, problem.spectrum[problem.spectrum.size() - 1 - i], 1e-8);
  }
}

/// A product that is wrong by a relative 1e-7, the same for the same vector: what float32 inside looks like.
class NoisyOperator final : public LinearOperator {
 public:
  explicit NoisyOperator(Spectrum spectrum) : clean_(std::move(spectrum)) {}
  int64_t dim() const override { return clean_.dim(); }
  void apply(VectorView v, VectorSpan out) override {
    clean_.apply(v, out);
    for (double& x : out) x = static_cast<float>(x);
  }

 private:
  DiagonalOperator clean_;
};

TEST(Evidence, IntervalsOfANoisyOperatorStillContainAnEigenvalue) {
  const Problem problem = indefinite();
  for (const auto& mode : modes) {
    NoisyOperator op(problem.spectrum);
    const auto process = run_steps(op, mode, 1, 60);
    const RitzEvidence evidence =
        ritz_evidence(op, process.factorization(), process.basis(), mode,
                      {.k = 10, .tol = 1e-6, .norm_a = problem.norm(), .noise = 1e-7});
    for (const auto& pair : evidence.pairs) EXPECT_TRUE(contains_an_eigenvalue(pair, problem.spectrum));
  }
}

TEST(Evidence, InnerBoundsLieInsideTheSpectrumInEveryMode) {
  for (const Problem& problem : {psd_curvature(), indefinite(), clusters()}) {
    for (const Reorthogonalization& mode :
         std::vector<Reorthogonalization>{Off{}, Window{}, Full{}, Partial{}, ParlettScott{}}) {
      for (uint64_t seed = 0; seed < 3; ++seed) {
        const auto op = problem.make();
        const auto process = run_steps(*op, mode, seed, 100);
        const RitzEvidence evidence = ritz_evidence(*op, process.factorization(), process.basis(), mode,
                                                    {.k = 10, .norm_a = problem.norm()});
        const double rounding = 1e-13 * problem.norm();
        EXPECT_LE(evidence.ritz_max, problem.spectrum.front() + rounding) << problem.name << mode_name(mode);
        EXPECT_GE(evidence.ritz_min, problem.spectrum.back() - rounding) << problem.name << mode_name(mode);
      }
    }
  }
}

TEST(RunLanczos, StopsWhenTheWantedPairsAreConverged) {
  for (const Reorthogonalization& mode : std::vector<Reorthogonalization>{Off{}, Full{}}) {
    const auto op = psd_curvature().make();
    LanczosProcess process(*op, random_start(op->dim(), 1), mode, 1, true);
    const auto outcome = run_lanczos(process, mode, {.k = 10, .max_iters = 100, .tol = 1e-8},
                                     [](const LanczosOutcome&) { return true; });
    EXPECT_EQ(outcome.converged, 10);
    EXPECT_LE(process.factorization().size(), 25);
  }
}

TEST(RunLanczos, ObserverStopsTheRun) {
  const auto op = psd_curvature().make();
  LanczosProcess process(*op, random_start(op->dim(), 1), Full{}, 1);
  const auto outcome =
      run_lanczos(process, Full{}, {.k = 10, .max_iters = 100}, [](const LanczosOutcome&) { return false; });
  EXPECT_TRUE(outcome.stopped);
  EXPECT_EQ(process.factorization().size(), 1);
}

}  // namespace
}  // namespace ritzflow::krylov
