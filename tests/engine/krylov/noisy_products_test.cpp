// Products with errors that the noise of an operator stands for: what is claimed holds for the exact matrix.
#include <gtest/gtest.h>

#include "evidence_checks.h"
#include "krylov/lanczos.h"
#include "krylov/ritz/companions.h"
#include "krylov/ritz/evidence.h"

namespace ritzflow::krylov {
namespace {

constexpr double kNoise = 1e-7;

/// diag(lambda_i + e_i) with e_i = -+ noise ||A||: a rounding that is the same for every vector, which no
/// probe of linearity or repeatability shows.
Spectrum shifted(const Problem& problem, uint64_t seed) {
  const Philox random(seed, "test", "shifts");
  Spectrum values = problem.spectrum;
  for (size_t i = 0; i < values.size(); ++i)
    values[i] += (random.uniform(i) < 0.5 ? -kNoise : kNoise) * problem.norm();
  return values;
}

std::vector<Reorthogonalization> modes() {
  return {
      Off{}, Window{}, Full{}, Partial{.noise = kNoise}, ParlettScott{.noise = kNoise}, ThickRestart{.k = 6}};
}

TEST(NoisyProducts, IntervalsContainAnEigenvalueOfTheExactMatrix) {
  for (const Problem& problem : standard_problems()) {
    for (const Reorthogonalization& mode : modes()) {
      for (uint64_t seed = 0; seed < 3; ++seed) {
        DiagonalOperator op(shifted(problem, seed));
        const auto process = run_steps(op, mode, seed, 60);
        // Power iterations bound the norm from below.
        const double norm_a = 0.9 * problem.norm();
        const RitzEvidence evidence =
            ritz_evidence(op, process.factorization(), process.basis(), mode,
                          {.k = 6, .tol = 1e-6, .norm_a = norm_a, .noise = 1.01 * kNoise});
        for (const auto& pair : evidence.pairs) {
          if (pair.verdict != Verdict::converged) continue;
          EXPECT_TRUE(contains_an_eigenvalue(pair, problem.spectrum))
              << problem.name << ", " << mode_name(mode) << ", value " << pair.value;
        }
      }
    }
  }
}

TEST(NoisyProducts, TheNormIsNoLessThanAnEigenvalueThatAPairShows) {
  const Problem problem = psd_curvature();
  const auto op = problem.make();
  const auto process = run_steps(*op, Full{}, 1, 60);
  const auto evidence =
      ritz_evidence(*op, process.factorization(), process.basis(), Full{}, {.k = 3, .norm_a = 1e-3});
  EXPECT_NEAR(evidence.norm_a, problem.norm(), 1e-12 * problem.norm());
}

TEST(NoisyProducts, BoundsOfACertificateHoldForTheExactMatrix) {
  // Few eigenvalues that are not 0: with the others deflated nothing is left to lift the bound.
  const Problem few = diagonal_problem("few", joined(geomspace(1, 0.25, 12), Spectrum(88, 0.0)));
  for (const Problem& problem : {few, psd_curvature(), indefinite()}) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
      DiagonalOperator op(shifted(problem, seed));
      LanczosProcess process(op, random_start(op.dim(), seed), Full{}, seed);
      run_lanczos(process, Full{}, {.k = 6, .max_iters = 100, .tol = 1e-5},
                  [](const LanczosOutcome&) { return true; });
      const std::vector<RitzPair> pairs = ritz_evidence(op, process.factorization(), process.basis(), Full{},
                                                        {.k = 6, .tol = 1e-5, .norm_a = problem.norm()})
                                              .pairs;
      std::vector<RitzPair> deflated = pairs;
      for (auto& pair : companions(ritz_candidates(process.factorization(), Full{}), process.basis(),
                                   Which::largest, 6, 12))
        deflated.push_back(std::move(pair));
      const Certificate known = certify(op, deflated,
                                        {.k = 6,
                                         .tol = 1e-5,
                                         .budget = 50,
                                         .seed = seed,
                                         .norm_a = problem.norm(),
                                         .noise = 1.01 * kNoise});
      SCOPED_TRACE(problem.name + " " + std::to_string(seed));
      expect_bounds(problem.spectrum, pairs, known, 0);
    }
  }
}

}  // namespace
}  // namespace ritzflow::krylov
