#include "krylov/process/tridiagonal.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace ritzflow::krylov {
namespace {

constexpr int kMaxSweeps = 60;

// The first index >= l whose coupling to the next is negligible.
size_t split(const std::vector<double>& d, const std::vector<double>& e, size_t l) {
  size_t m = l;
  while (m + 1 < d.size()) {
    const double scale = std::abs(d[m]) + std::abs(d[m + 1]);
    if (std::abs(e[m]) <= std::numeric_limits<double>::epsilon() * scale || e[m] == 0) break;
    ++m;
  }
  return m;
}

// One implicit QL sweep on rows l..m; the rotations also act on the columns of z, rows of the eigenvectors.
void sweep(std::vector<double>& d, std::vector<double>& e, size_t l, size_t m, Eigen::MatrixXd& z) {
  double g = (d[l + 1] - d[l]) / (2 * e[l]);
  double r = std::hypot(g, 1.0);
  g = d[m] - d[l] + e[l] / (g + std::copysign(r, g));
  double s = 1, c = 1, p = 0;
  for (size_t i = m; i-- > l;) {
    const double f = s * e[i], b = c * e[i];
    r = std::hypot(f, g);
    e[i + 1] = r;
    if (r == 0) {  // an exact split inside the sweep
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    double* const left = z.col(static_cast<Eigen::Index>(i)).data();
    double* const right = left + z.rows();
    for (Eigen::Index t = 0; t < z.rows(); ++t) {
      const double old = right[t];
      right[t] = s * left[t] + c * old;
      left[t] = c * left[t] - s * old;
    }
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

// Eigenvalues in the order of deflation; z [r, m], whose rows are rows of the identity, becomes those rows of
// the eigenvector matrix.
std::vector<double> ql(std::span<const double> alpha, std::span<const double> beta, Eigen::MatrixXd& z) {
  std::vector<double> d(alpha.begin(), alpha.end()), e(d.size(), 0.0);
  std::copy(beta.begin(), beta.begin() + static_cast<std::ptrdiff_t>(d.size() - 1), e.begin());
  for (size_t l = 0; l < d.size(); ++l) {
    for (int sweeps = 0;; ++sweeps) {
      const size_t end = split(d, e, l);
      if (end == l) break;
      if (sweeps == kMaxSweeps) throw Error(ExitCode::failure, "the eigenvalues of T did not converge");
      sweep(d, e, l, end, z);
    }
  }
  return d;
}

std::vector<Eigen::Index> ascending(const std::vector<double>& values) {
  std::vector<Eigen::Index> order(values.size());
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
    return values[static_cast<size_t>(a)] < values[static_cast<size_t>(b)];
  });
  return order;
}

// Eigenpairs of Z T Z'.
SymmetricEigen eigen_behind_reduction(std::span<const double> alpha, std::span<const double> beta,
                                      Eigen::MatrixXd z) {
  const auto m = static_cast<Eigen::Index>(alpha.size());
  SymmetricEigen eigen{Eigen::VectorXd(m), Eigen::MatrixXd(z.rows(), m)};
  if (m == 0) return eigen;
  const std::vector<double> values = ql(alpha, beta, z);
  Eigen::Index to = 0;
  for (Eigen::Index i : ascending(values)) {
    eigen.values[to] = values[static_cast<size_t>(i)];
    eigen.vectors.col(to++) = z.col(i);
  }
  return eigen;
}

}  // namespace

TridiagonalEigen tridiagonal_eigen(std::span<const double> alpha, std::span<const double> beta) {
  const auto m = static_cast<Eigen::Index>(alpha.size());
  TridiagonalEigen eigen;
  if (m == 0) return eigen;
  Eigen::MatrixXd z = Eigen::MatrixXd::Zero(2, m);
  z(0, 0) = 1;
  z(1, m - 1) = 1;
  const std::vector<double> values = ql(alpha, beta, z);
  for (Eigen::Index i : ascending(values)) {
    eigen.values.push_back(values[static_cast<size_t>(i)]);
    eigen.first.push_back(z(0, i));
    eigen.last.push_back(z(1, i));
  }
  return eigen;
}

SymmetricEigen tridiagonal_eigenvectors(std::span<const double> alpha, std::span<const double> beta) {
  const auto m = static_cast<Eigen::Index>(alpha.size());
  return eigen_behind_reduction(alpha, beta, Eigen::MatrixXd::Identity(m, m));
}

SymmetricEigen symmetric_eigenvectors(const Eigen::MatrixXd& a) {
  const auto m = a.rows();
  if (m < 2) return {a.diagonal(), Eigen::MatrixXd::Identity(m, m)};
  const Eigen::Tridiagonalization<Eigen::MatrixXd> reduction(a);
  const Eigen::VectorXd alpha = reduction.diagonal(), beta = reduction.subDiagonal();
  return eigen_behind_reduction({alpha.data(), static_cast<size_t>(m)},
                                {beta.data(), static_cast<size_t>(m - 1)}, reduction.matrixQ());
}

}  // namespace ritzflow::krylov
