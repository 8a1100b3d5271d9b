#pragma once
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/philox.h"
#include "krylov/process/factorization.h"
#include "krylov/process/linear_operator.h"

namespace ritzflow::krylov {

/// A = diag(spectrum): iteration counts, orthogonality and residuals are those of any matrix with this
/// spectrum.
class DiagonalOperator final : public LinearOperator {
 public:
  explicit DiagonalOperator(std::vector<double> spectrum) : spectrum_(std::move(spectrum)) {}
  int64_t dim() const override { return static_cast<int64_t>(spectrum_.size()); }
  void apply(VectorView v, VectorSpan out) override {
    ++calls;
    for (size_t i = 0; i < v.size(); ++i) out[i] = spectrum_[i] * v[i];
  }
  int64_t calls = 0;

 private:
  std::vector<double> spectrum_;
};

class DenseOperator final : public LinearOperator {
 public:
  explicit DenseOperator(Eigen::MatrixXd a) : a_(std::move(a)) {}
  int64_t dim() const override { return a_.rows(); }
  void apply(VectorView v, VectorSpan out) override {
    Eigen::Map<Eigen::VectorXd>(out.data(), dim()) =
        a_.lazyProduct(Eigen::Map<const Eigen::VectorXd>(v.data(), dim()));
  }

 private:
  Eigen::MatrixXd a_;
};

using Spectrum = std::vector<double>;

/// Test problem with its exact spectrum, descending. Numbers are those of the project's list of test
/// problems.
struct Problem {
  std::string name;
  Spectrum spectrum;
  std::function<std::unique_ptr<LinearOperator>()> make;
  double norm() const { return std::max(std::abs(spectrum.front()), std::abs(spectrum.back())); }
};

inline Problem diagonal_problem(std::string name, Spectrum spectrum) {
  const auto make = [spectrum] { return std::make_unique<DiagonalOperator>(spectrum); };
  std::sort(spectrum.rbegin(), spectrum.rend());
  return {std::move(name), std::move(spectrum), make};
}

inline Spectrum linspace(double a, double b, int count) {
  Spectrum x;
  for (int i = 0; i < count; ++i) x.push_back(count == 1 ? a : a + (b - a) * i / (count - 1));
  return x;
}

inline Spectrum geomspace(double a, double b, int count) {
  Spectrum x = linspace(std::log(a), std::log(b), count);
  for (double& v : x) v = std::exp(v);
  return x;
}

inline Spectrum joined(Spectrum a, const Spectrum& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Spectrum scaled(Spectrum a, double factor) {
  for (double& v : a) v *= factor;
  return a;
}

/// Problems 1-3: Strakos, l_i = l1 + (i-1)/(n-1) (ln - l1) rho^(n-i) with l1 = 0.1, ln = 100.
inline Problem strakos(int n, double rho) {
  Spectrum l;
  for (int i = 1; i <= n; ++i) l.push_back(0.1 + (i - 1.0) / (n - 1.0) * 99.9 * std::pow(rho, n - i));
  return diagonal_problem("strakos" + std::to_string(n) + "_" + std::to_string(static_cast<int>(rho * 10)),
                          l);
}

/// Problem 4: Wilkinson's W21+, whose largest eigenvalues come in pairs that agree to 1e-14.
inline Problem wilkinson() {
  Eigen::MatrixXd w = Eigen::MatrixXd::Zero(21, 21);
  for (int i = 0; i < 21; ++i) w(i, i) = std::abs(i - 10);
  for (int i = 0; i < 20; ++i) w(i, i + 1) = w(i + 1, i) = 1;
  const Eigen::VectorXd values = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(w).eigenvalues();
  Spectrum spectrum(values.begin(), values.end());
  std::sort(spectrum.rbegin(), spectrum.rend());
  return {"wilkinson", spectrum, [w] { return std::make_unique<DenseOperator>(w); }};
}

/// Problem 5: 4 sin^2(j pi / (2 (n+1))).
inline Problem laplacian_1d(int n = 1000) {
  Spectrum l;
  for (int j = 1; j <= n; ++j) l.push_back(4 * std::pow(std::sin(j * M_PI / (2.0 * (n + 1))), 2));
  return diagonal_problem("laplacian_1d", l);
}

/// Problem 6: sums of two 1-D spectra; square grids have double eigenvalues.
inline Problem laplacian_2d(int nx, int ny) {
  Spectrum l;
  const Spectrum x = laplacian_1d(nx).spectrum, y = laplacian_1d(ny).spectrum;
  for (double a : x) {
    for (double b : y) l.push_back(a + b);
  }
  return diagonal_problem("laplacian_2d_" + std::to_string(nx) + "x" + std::to_string(ny), l);
}

/// Problem 7: a fivefold 100, clusters of five at 50 (1e-8 apart) and 25 (1e-4 apart), 10..18, bulk in [0,
/// 1].
inline Problem clusters() {
  Spectrum l(5, 100.0);
  for (int i = 1; i <= 5; ++i) l.push_back(50 + 1e-8 * i);
  for (int i = 1; i <= 5; ++i) l.push_back(25 + 1e-4 * i);
  return diagonal_problem("clusters", joined(joined(l, linspace(10, 18, 9)), linspace(0, 1, 976)));
}

/// Problem 8: quantiles of the Marchenko-Pastur law with ratio gamma (Wishart X'X/N, gamma = n/N).
inline Problem marchenko_pastur(int n = 1000, double gamma = 0.5) {
  const double a = std::pow(1 - std::sqrt(gamma), 2), b = std::pow(1 + std::sqrt(gamma), 2);
  const int cells = 200000;
  Spectrum l;
  double mass = 0;
  for (int c = 0; c < cells && static_cast<int>(l.size()) < n; ++c) {
    const double x = a + (b - a) * (c + 0.5) / cells;
    mass += std::sqrt((b - x) * (x - a)) / (2 * M_PI * gamma * x) * (b - a) / cells;
    while (static_cast<int>(l.size()) < n && mass >= (static_cast<double>(l.size()) + 0.5) / n)
      l.push_back(x);
  }
  while (static_cast<int>(l.size()) < n) l.push_back(b);
  return diagonal_problem("marchenko_pastur", l);
}

/// Problem 9: eigenvalues of the Jacobi matrix of Laguerre polynomials, alpha_i = 2i - 1, beta_i = i.
inline Problem laguerre(int n = 60) {
  Eigen::VectorXd alpha(n), beta(n - 1);
  for (int i = 0; i < n; ++i) alpha[i] = 2 * i + 1;
  for (int i = 0; i + 1 < n; ++i) beta[i] = i + 1;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(alpha, beta, Eigen::EigenvaluesOnly);
  return diagonal_problem("laguerre", Spectrum(solver.eigenvalues().begin(), solver.eigenvalues().end()));
}

/// Problem 9: a matrix of the Gaussian orthogonal ensemble.
inline Problem gaussian_ensemble(int n = 150) {
  std::vector<double> draws(static_cast<size_t>(n) * static_cast<size_t>(n));
  Philox(1, "test", "gaussian ensemble").fill_normal(draws);
  const Eigen::MatrixXd a = Eigen::Map<Eigen::MatrixXd>(draws.data(), n, n);
  const Eigen::VectorXd values =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(a + a.transpose()).eigenvalues();
  return diagonal_problem("gaussian_ensemble", Spectrum(values.begin(), values.end()));
}

/// Problem 9: the nodes of Chebyshev, which crowd at both ends.
inline Problem chebyshev(int n = 200) {
  Spectrum l;
  for (int i = 0; i < n; ++i) l.push_back(std::cos(M_PI * (i + 0.5) / n));
  return diagonal_problem("chebyshev", l);
}

/// Problem 10: a heavy-tailed semi-definite bulk and ten outliers.
inline Problem psd_curvature() {
  const Philox random(1, "test", "psd curvature");
  Spectrum bulk;
  for (uint64_t i = 0; i < 2000; ++i) bulk.push_back(1e-5 * std::pow(std::abs(random.normal(i)), 6));
  for (double& v : bulk) v = std::min(v, 0.05);
  return diagonal_problem("psd_curvature", joined(bulk, geomspace(1, 200, 10)));
}

/// Problem 11: a normal bulk, ten positive and ten negative outliers.
inline Problem indefinite() {
  const Philox random(1, "test", "indefinite");
  Spectrum bulk;
  for (uint64_t i = 0; i < 1990; ++i) bulk.push_back(0.02 * random.normal(i));
  return diagonal_problem("indefinite",
                          joined(joined(bulk, geomspace(1, 200, 10)), scaled(geomspace(0.05, 5, 10), -1)));
}

/// Problem 12: symmetric about zero, alpha ~ 0.
inline Problem plus_minus() {
  const Spectrum outer = geomspace(2, 20, 10);
  return diagonal_problem("plus_minus", joined(joined(linspace(-1, 1, 980), outer), scaled(outer, -1)));
}

/// Problem 13: 1900 zeros and 100 positive eigenvalues.
inline Problem rank_deficient() {
  return diagonal_problem("rank_deficient", joined(Spectrum(1900, 0.0), linspace(0.1, 10, 100)));
}

/// Problem 14: 1/i and 1/i^2.
inline Problem power_law(double exponent, int n = 1000) {
  Spectrum l;
  for (int i = 1; i <= n; ++i) l.push_back(std::pow(i, -exponent));
  return diagonal_problem("power_law_" + std::to_string(static_cast<int>(exponent)), l);
}

/// The problems on which the identity, the evidence and the verdicts are checked in every mode.
inline std::vector<Problem> standard_problems() {
  return {strakos(24, 0.7), strakos(24, 0.8), strakos(24, 0.9), strakos(48, 0.8), strakos(100, 0.9),
          wilkinson(),      clusters(),       psd_curvature(),  indefinite(),     plus_minus(),
          rank_deficient(), power_law(1),     power_law(2)};
}

inline std::vector<double> random_start(int64_t n, uint64_t seed) {
  std::vector<double> v(static_cast<size_t>(n));
  Philox(seed, "test", "start").fill_normal(v);
  return v;
}

/// A process after `steps` products (fewer if the space is exhausted) with all rows kept.
inline LanczosProcess run_steps(LinearOperator& op, const Reorthogonalization& mode, uint64_t seed,
                                int64_t steps) {
  LanczosProcess process(op, random_start(op.dim(), seed), mode, seed, true);
  while (process.factorization().products < steps && process.step()) {
  }
  return process;
}

/// max_j || A q_j - sum_i H_ij q_i - beta_j q_(j+1) ||_2, sums in long double.
inline double identity_defect(LinearOperator& op, const KrylovFactorization& f, const Basis& basis) {
  const int64_t m = f.size();
  const Eigen::MatrixXd h = f.H();
  std::vector<double> product(static_cast<size_t>(op.dim()));
  double worst = 0;
  for (int64_t j = 0; j < m; ++j) {
    op.apply(basis.row(j), product);
    std::vector<long double> r(product.begin(), product.end());
    for (int64_t i = 0; i < m; ++i) {
      if (h(i, j) == 0) continue;
      const std::vector<double> q = basis.row(i);
      for (size_t t = 0; t < r.size(); ++t) r[t] -= static_cast<long double>(h(i, j)) * q[t];
    }
    long double square = 0;
    for (size_t t = 0; t < r.size(); ++t) {
      if (j == m - 1) r[t] -= static_cast<long double>(f.beta.back()) * f.residual_vector[t];
      square += r[t] * r[t];
    }
    worst = std::max(worst, static_cast<double>(std::sqrt(square)));
  }
  return worst;
}

/// [j] max_(i<j) |q_i'q_j|.
inline std::vector<double> orthogonality(const Basis& basis) {
  std::vector<double> loss;
  for (int64_t j = 0; j < basis.size(); ++j) {
    std::vector<double> c(static_cast<size_t>(j));
    basis.dots(0, basis.row(j), c);
    double largest = 0;
    for (double v : c) largest = std::max(largest, std::abs(v));
    loss.push_back(largest);
  }
  return loss;
}

}  // namespace ritzflow::krylov
