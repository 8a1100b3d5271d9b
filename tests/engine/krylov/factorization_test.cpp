#include "krylov/process/factorization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

const std::vector<Reorthogonalization> modes = {Off{},     Window{8, 5},   Window{5, 1},  Full{},
                                                Partial{}, ParlettScott{}, ThickRestart{}};
constexpr double kIdentity = 4e-15;

TEST(Factorization, IdentityHoldsInEveryModeOnEveryProblem) {
  for (const Problem& problem : standard_problems()) {
    for (const auto& mode : modes) {
      for (uint64_t seed = 0; seed < 3; ++seed) {
        const auto op = problem.make();
        const auto process = run_steps(*op, mode, seed, 100);
        EXPECT_LE(identity_defect(*op, process.factorization(), process.basis()), kIdentity * problem.norm())
            << problem.name << " " << mode_name(mode) << " seed " << seed;
      }
    }
  }
}

TEST(Factorization, IdentityHoldsOnTrivialOperators) {
  std::vector<double> u = random_start(50, 9);
  Eigen::Map<Eigen::VectorXd> uu(u.data(), 50);
  uu.normalize();
  for (const Eigen::MatrixXd& a :
       {Eigen::MatrixXd(Eigen::MatrixXd::Zero(50, 50)),
        Eigen::MatrixXd(3.7 * Eigen::MatrixXd::Identity(50, 50)), Eigen::MatrixXd(uu * uu.transpose())}) {
    for (const auto& mode : modes) {
      DenseOperator op(a);
      const auto process = run_steps(op, mode, 1, 80);
      EXPECT_LE(identity_defect(op, process.factorization(), process.basis()), kIdentity * a.norm());
      EXPECT_EQ(process.factorization().exhausted, !std::holds_alternative<ThickRestart>(mode));
    }
  }
}

TEST(Factorization, OffStopsAtAnInvariantSubspaceAndFullGoesOnBehindIt) {
  DiagonalOperator op(Spectrum(20, 2.5));
  EXPECT_EQ(run_steps(op, Off{}, 1, 50).factorization().size(), 1);
  const auto full = run_steps(op, Full{}, 1, 50);
  EXPECT_EQ(full.factorization().size(), 20);
  for (double alpha : full.factorization().alphas()) EXPECT_NEAR(alpha, 2.5, 1e-14);
  for (double beta : full.factorization().beta) EXPECT_EQ(beta, 0);
}

TEST(Factorization, SmallDimensionsEndAtTheDimension) {
  for (int n = 1; n <= 3; ++n) {
    for (const auto& mode : modes) {
      DiagonalOperator op(linspace(1, 3, n));
      const auto process = run_steps(op, mode, 4, 10);
      EXPECT_EQ(process.factorization().size(), n) << mode_name(mode);
      EXPECT_TRUE(process.factorization().exhausted);
    }
  }
}

TEST(Factorization, EigenvectorAsStartIsExhaustedAfterOneProductInOff) {
  DiagonalOperator op({5, 4, 3, 2, 1});
  LanczosProcess process(op, std::vector<double>{0, 0, 7, 0, 0}, Off{}, 1);
  EXPECT_TRUE(process.step());
  EXPECT_FALSE(process.step());
  EXPECT_EQ(process.factorization().alpha(0), 3);
  EXPECT_EQ(process.factorization().beta[0], 0);
}

TEST(Factorization, EigenvectorAsStartDecouplesInEveryMode) {
  const std::vector<double> values = {5, 4, 3, 2, 1};
  for (const Reorthogonalization& mode : std::vector<Reorthogonalization>{
           Off{}, Window{}, Full{}, Partial{}, ParlettScott{}, ThickRestart{.krylov_dim = 5, .k = 1}}) {
    DiagonalOperator op(values);
    LanczosProcess process(op, std::vector<double>{0, 0, 7, 0, 0}, mode, 1, true);
    while (process.step()) {
    }
    const auto& f = process.factorization();
    EXPECT_EQ(f.alpha(0), 3) << mode_name(mode);
    EXPECT_EQ(f.beta[0], 0) << mode_name(mode);
    EXPECT_EQ(f.size(), keeps_orthogonality(mode) ? 5 : 1) << mode_name(mode);
    EXPECT_LE(identity_defect(op, f, process.basis()), 2e-14) << mode_name(mode);
  }
}

TEST(Factorization, RankDeficientRecordsTheBreakdownAndStaysFinite) {
  const Problem problem = rank_deficient();
  const auto op = problem.make();
  const auto process = run_steps(*op, Full{}, 2, 130);
  const auto& beta = process.factorization().beta;
  // 100 non-zero eigenvalues and the zero: 101 steps span all that the start vector sees, but for rounding
  EXPECT_NEAR(static_cast<double>(std::find(beta.begin(), beta.end(), 0.0) - beta.begin()), 101, 2);
  for (double b : beta) EXPECT_TRUE(std::isfinite(b));
}

TEST(Factorization, FullEndsStrakosAtItsDimensionOrthogonalToRounding) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const auto op = strakos(24, 0.7).make();
    const auto process = run_steps(*op, Full{}, seed, 50);
    EXPECT_EQ(process.factorization().size(), 24);
    for (double loss : orthogonality(process.basis())) EXPECT_LE(loss, 1e-14);
  }
}

TEST(Factorization, FullKeepsEveryBasisOrthogonalToRounding) {
  for (const Problem& problem : standard_problems()) {
    const auto op = problem.make();
    const auto process = run_steps(*op, Full{}, 1, 120);
    for (double loss : orthogonality(process.basis())) EXPECT_LE(loss, 1e-14) << problem.name;
  }
}

TEST(Factorization, ScalingByAPowerOfTwoScalesTheHistoryBitwise) {
  for (const auto& mode : modes) {
    for (int exponent : {-30, 40}) {
      const double factor = std::ldexp(1.0, exponent);
      const Problem problem = indefinite();
      DiagonalOperator a(problem.spectrum), b(scaled(problem.spectrum, factor));
      const auto x = run_steps(a, mode, 3, 60), y = run_steps(b, mode, 3, 60);
      ASSERT_EQ(x.factorization().size(), y.factorization().size());
      for (int64_t j = 0; j < x.factorization().size(); ++j) {
        EXPECT_EQ(x.factorization().alpha(j) * factor, y.factorization().alpha(j)) << mode_name(mode) << j;
        EXPECT_EQ(x.factorization().beta[j] * factor, y.factorization().beta[j]) << mode_name(mode) << j;
      }
    }
  }
}

TEST(Factorization, ScalingByAnyFactorLeavesTheDecisionsAlone) {
  for (const auto& mode : modes) {
    for (double factor : {1e-9, 1e12}) {
      const Problem problem = psd_curvature();
      DiagonalOperator a(problem.spectrum), b(scaled(problem.spectrum, factor));
      const auto x = run_steps(a, mode, 3, 30), y = run_steps(b, mode, 3, 30);
      ASSERT_EQ(x.factorization().size(), y.factorization().size()) << mode_name(mode);
      for (int64_t j = 0; j < 10; ++j) {  // before rounding has grown to something
        EXPECT_NEAR(y.factorization().alpha(j) / factor, x.factorization().alpha(j), 1e-6 * 200);
      }
    }
  }
}

TEST(Factorization, ShiftShiftsTheDiagonalOnly) {
  const Problem problem = strakos(24, 0.9);
  Spectrum shifted = problem.spectrum;
  for (double& v : shifted) v += 10;
  DiagonalOperator a(problem.spectrum), b(shifted);
  const auto x = run_steps(a, Full{}, 3, 12), y = run_steps(b, Full{}, 3, 12);
  for (int64_t j = 0; j < 12; ++j) {
    EXPECT_NEAR(x.factorization().alpha(j) + 10, y.factorization().alpha(j), 1e-11);
    EXPECT_NEAR(x.factorization().beta[j], y.factorization().beta[j], 1e-11);
  }
}

TEST(Factorization, SameSeedGivesTheSameBits) {
  for (const auto& mode : modes) {
    const auto a = psd_curvature().make(), b = psd_curvature().make();
    const auto x = run_steps(*a, mode, 5, 50), y = run_steps(*b, mode, 5, 50);
    EXPECT_EQ(x.factorization().columns, y.factorization().columns);
    EXPECT_EQ(x.factorization().beta, y.factorization().beta);
  }
}

TEST(Factorization, ZeroOrWrongStartIsRefused) {
  DiagonalOperator op({1, 2, 3});
  EXPECT_THROW(LanczosProcess(op, std::vector<double>(3, 0.0), Off{}, 1), InputError);
  EXPECT_THROW(LanczosProcess(op, std::vector<double>(2, 1.0), Off{}, 1), InputError);
  EXPECT_THROW(LanczosProcess(op, std::vector<double>(3, std::nan("")), Off{}, 1), InputError);
}

struct NanOperator final : LinearOperator {
  int64_t dim() const override { return 4; }
  void apply(VectorView v, VectorSpan out) override {
    std::copy(v.begin(), v.end(), out.begin());
    out[2] = calls++ < 1 ? 7 : std::nan("");
  }
  int calls = 0;
};

TEST(Factorization, NanFromTheProductIsAnErrorThatNamesTheProduct) {
  for (const Reorthogonalization& mode : std::vector<Reorthogonalization>{
           Off{}, Window{}, Full{}, Partial{}, ParlettScott{}, ThickRestart{.krylov_dim = 4, .k = 1}}) {
    NanOperator op;
    LanczosProcess process(op, std::vector<double>{1, 2, 3, 4}, mode, 1);
    EXPECT_TRUE(process.step());
    try {
      process.step();
      FAIL() << mode_name(mode);
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("product 2"), std::string::npos) << error.what();
    }
  }
}

struct FirstLoss {
  Problem problem;
  int step;   // of the list of test problems
  int slack;  // between seeds, and between this and other draws of a random bulk
};

TEST(Factorization, OffLosesOrthogonalityAtTheKnownStep) {
  const std::vector<FirstLoss> expected = {
      {strakos(24, 0.7), 12, 2}, {strakos(24, 0.8), 14, 2},  {strakos(24, 0.9), 19, 3},
      {strakos(48, 0.8), 15, 2}, {strakos(100, 0.9), 22, 3}, {wilkinson(), 16, 3},
      {clusters(), 10, 2},       {psd_curvature(), 10, 3},   {indefinite(), 11, 3},
      {power_law(1), 12, 3},     {power_law(2), 10, 3},      {plus_minus(), 20, 3}};
  const double level = std::sqrt(std::numeric_limits<double>::epsilon());
  for (const auto& [problem, step, slack] : expected) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const auto op = problem.make();
      const auto loss = orthogonality(run_steps(*op, Off{}, seed, 60).basis());
      const auto first =
          std::find_if(loss.begin(), loss.end(), [&](double v) { return v > level; }) - loss.begin();
      EXPECT_NEAR(static_cast<double>(first), step, slack) << problem.name << " seed " << seed;
    }
  }
}

TEST(Factorization, OffKeepsTheOneDimensionalLaplacianOrthogonal) {
  const auto op = laplacian_1d().make();
  for (double loss : orthogonality(run_steps(*op, Off{}, 1, 200).basis())) EXPECT_LE(loss, 1e-12);
}

}  // namespace
}  // namespace ritzflow::krylov
