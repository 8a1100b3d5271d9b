#include "krylov/process/tridiagonal.h"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>

#include "core/philox.h"
#include "krylov/ritz/ghosts.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

void expect_equal_to_eigen(const std::vector<double>& alpha, const std::vector<double>& beta) {
  const auto m = static_cast<Eigen::Index>(alpha.size());
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> reference;
  reference.computeFromTridiagonal(Eigen::Map<const Eigen::VectorXd>(alpha.data(), m),
                                   Eigen::Map<const Eigen::VectorXd>(beta.data(), m - 1));
  const TridiagonalEigen eigen = tridiagonal_eigen(alpha, beta);
  const double norm_t = reference.eigenvalues().cwiseAbs().maxCoeff();
  for (Eigen::Index i = 0; i < m; ++i) {
    const auto at = static_cast<size_t>(i);
    EXPECT_NEAR(eigen.values[at], reference.eigenvalues()[i], 1e-13 * norm_t);
    EXPECT_NEAR(std::abs(eigen.first[at]), std::abs(reference.eigenvectors()(0, i)), 1e-9);
    EXPECT_NEAR(std::abs(eigen.last[at]), std::abs(reference.eigenvectors()(m - 1, i)), 1e-9);
  }
}

TEST(TridiagonalEigen, EqualsEigenOnRandomMatrices) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Philox random(seed, "test", "tridiagonal");
    const size_t m = 1 + seed * 7 % 60;
    std::vector<double> alpha(m), beta(m);
    for (size_t i = 0; i < m; ++i) {
      alpha[i] = random.normal(2 * i);
      beta[i] = std::abs(random.normal(2 * i + 1));
    }
    expect_equal_to_eigen(alpha, beta);
  }
}

// Eigenvalues of T below x: negative pivots of T - x I (Sturm), in long double.
int64_t count_below(const std::vector<double>& alpha, const std::vector<double>& beta, double x) {
  int64_t count = 0;
  long double pivot = 1;
  for (size_t i = 0; i < alpha.size(); ++i) {
    const long double b = i == 0 ? 0.0L : beta[i - 1];
    pivot = alpha[i] - static_cast<long double>(x) - (b == 0 ? 0 : b * b / pivot);
    if (pivot == 0) pivot = 1e-300L;
    count += pivot < 0;
  }
  return count;
}

// Eigen's own solver gives up on some of these.
TEST(TridiagonalEigen, EigenvaluesOfGhostLadenMatricesAgreeWithSturmCounts) {
  for (const Problem& problem : standard_problems()) {
    const auto op = problem.make();
    const auto process = run_steps(*op, Off{}, 2, 200);
    const auto& f = process.factorization();
    const std::vector<double> alpha = f.alphas(), values = tridiagonal_eigen(alpha, f.beta).values;
    const double slack = 1e-13 * problem.norm();
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_LE(count_below(alpha, f.beta, values[i] - slack), static_cast<int64_t>(i)) << problem.name;
      EXPECT_GE(count_below(alpha, f.beta, values[i] + slack), static_cast<int64_t>(i) + 1) << problem.name;
    }
  }
}

TEST(TridiagonalEigen, WholeEigenvectorsAreOrthonormalAndEndInTheSameComponents) {
  for (const Problem& problem : standard_problems()) {
    const auto op = problem.make();
    const auto process = run_steps(*op, Off{}, 3, 80);
    const auto& f = process.factorization();
    const TridiagonalEigen ends = tridiagonal_eigen(f.alphas(), f.beta);
    const SymmetricEigen whole = tridiagonal_eigenvectors(f.alphas(), f.beta);
    const auto m = whole.values.size();
    EXPECT_LE((whole.vectors.transpose() * whole.vectors - Eigen::MatrixXd::Identity(m, m)).norm(), 1e-12);
    const Eigen::MatrixXd t = f.H().triangularView<Eigen::Lower>();
    const Eigen::MatrixXd symmetric = t.selfadjointView<Eigen::Lower>();
    EXPECT_LE((symmetric * whole.vectors - whole.vectors * whole.values.asDiagonal()).norm(),
              1e-12 * problem.norm());
    for (Eigen::Index i = 0; i < m; ++i) {
      EXPECT_EQ(whole.values[i], ends.values[static_cast<size_t>(i)]);
      EXPECT_EQ(whole.vectors(m - 1, i), ends.last[static_cast<size_t>(i)]);
    }
  }
}

TEST(TridiagonalEigen, LaguerreMatrixGivesTheGaussLaguerreRule) {
  // alpha_i = 2i-1, beta_i = i: integral of x^p exp(-x) is p!
  const int m = 8;
  std::vector<double> alpha, beta;
  for (int i = 1; i <= m; ++i) {
    alpha.push_back(2 * i - 1);
    beta.push_back(i);
  }
  const TridiagonalEigen eigen = tridiagonal_eigen(alpha, beta);
  double factorial = 1;
  for (int p = 0; p < 2 * m; ++p) {
    if (p > 0) factorial *= p;
    double moment = 0;
    for (size_t i = 0; i < m; ++i) moment += eigen.first[i] * eigen.first[i] * std::pow(eigen.values[i], p);
    EXPECT_NEAR(moment / factorial, 1, 1e-11) << p;
  }
}

TEST(TridiagonalEigen, ZeroCouplingsSplitTheMatrix) {
  expect_equal_to_eigen({3, 1, 2}, {0, 0, 0});
  const TridiagonalEigen eigen = tridiagonal_eigen(std::vector<double>{}, std::vector<double>{});
  EXPECT_TRUE(eigen.values.empty());
}

TEST(TridiagonalEigen, GradedEntriesKeepTheirScale) {
  const double tiny = std::ldexp(1.0, -600);
  const TridiagonalEigen one = tridiagonal_eigen(std::vector<double>{2, 3, 5}, std::vector<double>{1, 1, 1});
  const TridiagonalEigen small = tridiagonal_eigen(std::vector<double>{2 * tiny, 3 * tiny, 5 * tiny},
                                                   std::vector<double>{tiny, tiny, tiny});
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(one.values[i] * tiny, small.values[i]);
}

TEST(CullumWilloughby, CopiesAreOneGroupWithTheLargestFirstComponentKept) {
  // Two blocks diag(1, 2) and (2) coupled by nothing: 2 twice, the copy behind the split owes nothing to e_1.
  const std::vector<double> alpha = {1.5, 1.5, 2}, beta = {0.5, 0, 0};
  const TridiagonalEigen eigen = tridiagonal_eigen(alpha, beta);
  const auto verdicts = cullum_willoughby(alpha, beta, eigen.values, eigen.first);
  EXPECT_EQ(verdicts[0], TridiagonalVerdict::good);
  EXPECT_EQ((verdicts[1] == TridiagonalVerdict::good) + (verdicts[2] == TridiagonalVerdict::good), 1);
  EXPECT_EQ((verdicts[1] == TridiagonalVerdict::copy) + (verdicts[2] == TridiagonalVerdict::copy), 1);
  const size_t kept = verdicts[1] == TridiagonalVerdict::good ? 1 : 2;
  EXPECT_NEAR(eigen.first[kept] * eigen.first[kept], 0.5, 1e-15);
}

TEST(CullumWilloughby, ValueThatOwesNothingToTheStartVectorIsSpurious) {
  // 7 stands behind a split: simple, and an eigenvalue of T without its first row and column.
  const std::vector<double> alpha = {1, 2, 7}, beta = {1, 0, 0};
  const TridiagonalEigen eigen = tridiagonal_eigen(alpha, beta);
  const auto verdicts = cullum_willoughby(alpha, beta, eigen.values, eigen.first);
  EXPECT_EQ(verdicts[2], TridiagonalVerdict::spurious);
  EXPECT_EQ(verdicts[0], TridiagonalVerdict::good);
  EXPECT_EQ(verdicts[1], TridiagonalVerdict::good);
}

// How many of the selected values stand at an eigenvalue (1e-10 ||A||) that another one already accounts for.
int64_t copies(const std::vector<double>& values, const Problem& problem) {
  std::vector<bool> taken(problem.spectrum.size(), false);
  int64_t count = 0;
  for (double value : values) {
    bool near = false, own = false;
    for (size_t i = 0; i < taken.size() && !own; ++i) {
      if (std::abs(problem.spectrum[i] - value) > 1e-10 * problem.norm()) continue;
      near = true;
      own = !taken[i];
      if (own) taken[i] = true;
    }
    count += near && !own;
  }
  return count;
}

struct Ghosts {
  Problem problem;
  int64_t steps, ghosts, slack;
};

TEST(CullumWilloughby, OffMakesTheKnownNumberOfGhostsAndTheFilterRemovesThem) {
  for (const auto& [problem, steps, ghosts, slack] :
       {Ghosts{strakos(24, 0.7), 50, 23, 3}, Ghosts{strakos(24, 0.8), 50, 18, 3},
        Ghosts{strakos(24, 0.9), 50, 14, 3}, Ghosts{strakos(48, 0.8), 100, 54, 5},
        Ghosts{strakos(100, 0.9), 200, 119, 8}, Ghosts{clusters(), 200, 87, 8},
        Ghosts{psd_curvature(), 100, 62, 6}, Ghosts{indefinite(), 200, 137, 10}}) {
    const auto op = problem.make();
    const auto process = run_steps(*op, Off{}, 1, steps);
    const auto& f = process.factorization();
    const TridiagonalEigen eigen = tridiagonal_eigen(f.alphas(), f.beta);
    const auto verdicts = cullum_willoughby(f.alphas(), f.beta, eigen.values, eigen.first);
    EXPECT_NEAR(static_cast<double>(copies(eigen.values, problem)), static_cast<double>(ghosts),
                static_cast<double>(slack))
        << problem.name;
    std::vector<double> good;
    for (size_t i = 0; i < verdicts.size(); ++i) {
      const bool converged = f.beta.back() * std::abs(eigen.last[i]) <= 1e-10 * problem.norm();
      if (verdicts[i] == TridiagonalVerdict::good && converged) good.push_back(eigen.values[i]);
    }
    EXPECT_LE(copies(good, problem), 3) << problem.name;
  }
}

}  // namespace
}  // namespace ritzflow::krylov
