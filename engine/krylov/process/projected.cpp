#include "krylov/process/projected.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <vector>

namespace ritzflow::krylov {

namespace {

// Locked pairs (no coupling left) are eigenpairs of H as they stand; the others have a problem of their own,
// so that equal eigenvalues are not mixed again at each restart.
template <class Solver>
SymmetricEigen arrow_eigen(const KrylovFactorization& f, Solver solve) {
  const auto m = static_cast<Eigen::Index>(f.size()), l = static_cast<Eigen::Index>(f.spike.size());
  std::vector<Eigen::Index> locked, active;
  for (Eigen::Index i = 0; i < m; ++i) {
    (i < l && f.spike[static_cast<size_t>(i)] == 0 ? locked : active).push_back(i);
  }
  const Eigen::MatrixXd h = f.H();
  const SymmetricEigen inner = solve(Eigen::MatrixXd(h(active, active)));
  SymmetricEigen all{Eigen::VectorXd(m), Eigen::MatrixXd::Zero(m, m)};
  Eigen::Index to = 0, next_locked = 0, next_active = 0;
  std::sort(locked.begin(), locked.end(), [&](Eigen::Index a, Eigen::Index b) { return h(a, a) < h(b, b); });
  for (; to < m; ++to) {
    const auto i = static_cast<size_t>(next_locked);
    const bool take_locked = i < locked.size() && (next_active == inner.values.size() ||
                                                   h(locked[i], locked[i]) <= inner.values[next_active]);
    if (take_locked) {
      all.values[to] = h(locked[i], locked[i]);
      all.vectors(locked[i], to) = 1;
      ++next_locked;
    } else {
      all.values[to] = inner.values[next_active];
      all.vectors(active, to) = inner.vectors.col(next_active++);
    }
  }
  return all;
}

}  // namespace

SymmetricEigen projected_eigen(const KrylovFactorization& f) {
  return f.spike.empty() ? tridiagonal_eigenvectors(f.alphas(), f.beta)
                         : arrow_eigen(f, symmetric_eigenvectors);
}

SymmetricEigen projected_eigen_rounded_once(const KrylovFactorization& f) {
  return arrow_eigen(f, [](const Eigen::MatrixXd& a) -> SymmetricEigen {
    using Matrix = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
    const Eigen::SelfAdjointEigenSolver<Matrix> solver(a.cast<long double>());
    if (solver.info() != Eigen::Success) return symmetric_eigenvectors(a);
    return {solver.eigenvalues().cast<double>(), solver.eigenvectors().cast<double>()};
  });
}

TridiagonalEigen projected_ends(const KrylovFactorization& f) {
  if (f.spike.empty()) return tridiagonal_eigen(f.alphas(), f.beta);
  const SymmetricEigen eigen = projected_eigen(f);
  const auto m = eigen.values.size();
  const Eigen::VectorXd first = eigen.vectors.row(0), last = eigen.vectors.row(m - 1);
  return {
      {eigen.values.begin(), eigen.values.end()}, {first.begin(), first.end()}, {last.begin(), last.end()}};
}

}  // namespace ritzflow::krylov
