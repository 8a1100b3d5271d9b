#include "krylov/process/kept_schur_vectors.h"

#include <vector>

#include "krylov/process/projected.h"

namespace ritzflow::krylov {
namespace {

// Rotations by more than this are between vectors of one cluster, where to first order is not enough.
constexpr double kSmallAngle = 1e-6;

// All eigenpairs of T, the `l` wanted ones first.
SymmetricEigen wanted_first(const KrylovFactorization& f, Which which, int64_t l) {
  const SymmetricEigen all = projected_eigen_rounded_once(f);
  const Eigen::Index m = all.values.size();
  const Eigen::VectorXd descending = all.values.reverse();
  std::vector<Eigen::Index> order;
  std::vector<bool> taken(static_cast<size_t>(m), false);
  for (const auto& end : wanted_ends({descending.begin(), descending.end()}, which, l)) {
    for (int64_t r = 0; r < end.count; ++r) {
      order.push_back(m - 1 - static_cast<Eigen::Index>(end.order[static_cast<size_t>(r)]));
      taken[static_cast<size_t>(order.back())] = true;
    }
  }
  for (Eigen::Index i = 0; i < m; ++i) {
    if (!taken[static_cast<size_t>(i)]) order.push_back(i);
  }
  SymmetricEigen ordered{all.values(order), all.vectors(Eigen::all, order)};
  for (auto v : ordered.vectors.colwise()) {
    if (v[m - 1] < 0) v = -v;
  }
  return ordered;
}

// Whether v is a unit vector e_i: a pair that an earlier restart locked.
bool is_locked(const Eigen::Ref<const Eigen::VectorXd>& v) {
  return v.cwiseAbs().maxCoeff() == 1 && v.squaredNorm() == 1;
}

}  // namespace

KeptSchurVectors kept_schur_vectors(const KrylovFactorization& f, Which which, int64_t l) {
  const SymmetricEigen eigen = wanted_first(f, which, l);
  const Eigen::Index m = eigen.values.size();
  const Eigen::MatrixXd h = f.H();
  const Eigen::MatrixXd below = h.triangularView<Eigen::StrictlyLower>();
  const Eigen::MatrixXd d = h.triangularView<Eigen::StrictlyUpper>().toDenseMatrix() - below.transpose();
  const Eigen::MatrixXd e = eigen.vectors.transpose() * d * eigen.vectors;

  Eigen::MatrixXd k = Eigen::MatrixXd::Zero(m, m);
  for (Eigen::Index j = 0; j < l; ++j) {
    if (is_locked(eigen.vectors.col(j))) continue;
    for (Eigen::Index i = j + 1; i < m; ++i) {
      const double gap = eigen.values[j] - eigen.values[i];
      if (std::abs(e(i, j)) >= kSmallAngle * std::abs(gap) || is_locked(eigen.vectors.col(i))) continue;
      k(i, j) = e(i, j) / gap;
      k(j, i) = -k(i, j);
    }
  }
  const Eigen::MatrixXd theta = eigen.values.asDiagonal();
  const Eigen::MatrixXd r = theta + e + theta * k - k * theta;
  return {eigen.vectors.leftCols(l) + eigen.vectors * k.leftCols(l),
          r.topLeftCorner(l, l).triangularView<Eigen::Upper>()};
}

}  // namespace ritzflow::krylov
