// Every test problem in every mode from ten start vectors: what must hold whatever the state of the basis.
// RITZFLOW_SEEDS sets how many.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "evidence_checks.h"
#include "krylov/ritz/evidence.h"

namespace ritzflow::krylov {
namespace {

constexpr double kFloor = 2e-13;  // of a residual, relative to ||A||: rounding over 100 rows

const std::vector<Reorthogonalization> modes = {
    Off{}, Window{8, 5}, Full{}, Partial{}, ParlettScott{}, ThickRestart{.krylov_dim = 40, .k = 10}};

struct Cell {
  const Problem* problem;
  const Reorthogonalization* mode;
  uint64_t seed;
  double defect;              // of A Q' = Q' H + beta q e', relative to ||A||
  RitzEvidence found;         // without vectors
  std::set<double> unpaired;  // values that stand for a complex pair of H
};

uint64_t seeds() {
  const char* wish = std::getenv("RITZFLOW_SEEDS");
  return wish != nullptr ? std::stoul(wish) : 10;
}

std::vector<Problem> all_problems() {
  std::vector<Problem> problems = standard_problems();
  for (const Problem& problem :
       {laplacian_1d(300), laplacian_2d(16, 16), laplacian_2d(13, 17), marchenko_pastur(400), laguerre(),
        gaussian_ensemble(), chebyshev(), diagonal_problem("identity", Spectrum(30, 2.5)),
        diagonal_problem("zero", Spectrum(30, 0.0)),
        diagonal_problem("rank_one", joined({7}, Spectrum(30, 0.0))), diagonal_problem("one", {3}),
        diagonal_problem("three", {3, 1, -2})}) {
    problems.push_back(problem);
  }
  return problems;
}

Cell run_cell(const Problem& problem, const Reorthogonalization& mode, uint64_t seed) {
  const auto op = problem.make();
  const auto process = run_steps(*op, mode, seed, 100);
  const auto& f = process.factorization();
  const double scale = problem.norm() > 0 ? problem.norm() : 1;
  Cell cell{&problem,
            &mode,
            seed,
            identity_defect(*op, f, process.basis()) / scale,
            ritz_evidence(*op, f, process.basis(), mode, {.k = 10, .tol = 1e-8, .norm_a = problem.norm()}),
            {}};
  for (auto& pair : cell.found.pairs) pair.vector.clear();
  for (const auto& candidate : ritz_candidates(f, mode)) {
    if (candidate.leftover.size() > 0) cell.unpaired.insert(candidate.value);
  }
  return cell;
}

const std::vector<Cell>& cells() {
  static const std::vector<Problem> problems = all_problems();
  static const std::vector<Cell> all = [] {
    std::vector<Cell> list;
    for (const Problem& problem : problems) {
      for (const auto& mode : modes) {
        for (uint64_t seed = 0; seed < seeds(); ++seed) list.push_back(run_cell(problem, mode, seed));
      }
    }
    return list;
  }();
  return all;
}

std::string name(const Cell& cell) {
  return cell.problem->name + " " + mode_name(*cell.mode) + " seed " + std::to_string(cell.seed);
}

// Whether each converged pair can be given an eigenvalue of its own inside its interval (earliest end first).
bool each_has_its_own_eigenvalue(const std::vector<RitzPair>& pairs, Spectrum spectrum) {
  std::vector<std::array<double, 2>> intervals;
  for (const auto& pair : pairs) {
    if (pair.verdict == Verdict::converged) intervals.push_back(pair.interval);
  }
  std::sort(intervals.begin(), intervals.end(), [](const auto& a, const auto& b) { return a[1] < b[1]; });
  std::sort(spectrum.begin(), spectrum.end());
  std::vector<bool> used(spectrum.size(), false);
  for (const auto& interval : intervals) {
    size_t i = 0;
    while (i < spectrum.size() && (used[i] || spectrum[i] < interval[0])) ++i;
    if (i == spectrum.size() || spectrum[i] > interval[1]) return false;
    used[i] = true;
  }
  return true;
}

TEST(EveryProblemAndMode, IdentityHolds) {
  for (const Cell& cell : cells()) EXPECT_LE(cell.defect, 4e-15) << name(cell);
}

TEST(EveryProblemAndMode, RitzResidualEqualsTrueResidualWithinAFactorTwoOrTheNoiseFloor) {
  for (const Cell& cell : cells()) {
    for (const auto& pair : cell.found.pairs) {
      const double floor = kFloor * cell.problem->norm() / std::max(pair.basis_norm, 1e-3);
      if (pair.verdict == Verdict::spurious || (pair.residual <= floor && pair.estimate <= floor)) continue;
      if (pair.basis_norm < 0.1) continue;
      EXPECT_LE(pair.residual, 2 * pair.estimate + floor) << name(cell) << " " << pair.value;
      if (cell.unpaired.contains(pair.value)) continue;  // of a complex pair both parts are counted
      EXPECT_GE(pair.residual, pair.estimate / 2 - floor) << name(cell) << " " << pair.value;
    }
  }
}

TEST(EveryProblemAndMode, EveryIntervalContainsAnEigenvalue) {
  for (const Cell& cell : cells()) {
    for (const auto& pair : cell.found.pairs) {
      EXPECT_TRUE(contains_an_eigenvalue(pair, cell.problem->spectrum))
          << name(cell) << " " << pair.value << " +- " << pair.residual;
    }
  }
}

TEST(EveryProblemAndMode, ConvergedPairsNeverClaimAnEigenvalueMoreOftenThanItExists) {
  for (const Cell& cell : cells()) {
    EXPECT_TRUE(each_has_its_own_eigenvalue(cell.found.pairs, cell.problem->spectrum)) << name(cell);
  }
}

}  // namespace
}  // namespace ritzflow::krylov
