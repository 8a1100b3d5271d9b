// Products with errors that the noise of an operator stands for: what is claimed holds for the exact matrix.
#include <gtest/gtest.h>

#include "krylov/certificate.h"
#include "krylov/companions.h"
#include "krylov/lanczos.h"
#include "problems.h"

namespace ritzflow {
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

bool near_an_eigenvalue(const RitzPair& pair, const Spectrum& spectrum) {
  return std::ranges::any_of(
      spectrum, [&](double lambda) { return pair.interval[0] <= lambda && lambda <= pair.interval[1]; });
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
          EXPECT_TRUE(near_an_eigenvalue(pair, problem.spectrum))
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

// As many eigenvalues lie beyond a bound as there are returned values.
void expect_bounds(const Spectrum& spectrum, const std::vector<RitzPair>& pairs, const Certificate& known) {
  const auto above = [&](double a) { return a > known.upper_bound; };
  const auto below = [&](double a) { return a < known.lower_bound; };
  const auto value = [](const RitzPair& pair) { return pair.value; };
  EXPECT_LE(std::ranges::count_if(spectrum, above), std::ranges::count_if(pairs, above, value));
  EXPECT_LE(std::ranges::count_if(spectrum, below), std::ranges::count_if(pairs, below, value));
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
      std::vector<RitzPair> pairs = ritz_evidence(op, process.factorization(), process.basis(), Full{},
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
      pairs.insert(pairs.end(), known.found.begin(), known.found.end());
      SCOPED_TRACE(problem.name + " " + std::to_string(seed));
      expect_bounds(problem.spectrum, pairs, known);
    }
  }
}

}  // namespace
}  // namespace ritzflow
