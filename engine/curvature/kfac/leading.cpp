#include "curvature/kfac/leading.h"

#include <ATen/ATen.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "krylov/lanczos.h"
#include "krylov/ritz/evidence.h"

namespace ritzflow::curvature {
namespace {

using Vector = std::vector<double>;

Eigen::MatrixXd columns(const std::vector<Eigenpair>& pairs) {
  const auto n = static_cast<Eigen::Index>(pairs.front().vector.size());
  Eigen::MatrixXd x(n, static_cast<Eigen::Index>(pairs.size()));
  for (size_t i = 0; i < pairs.size(); ++i) {
    x.col(static_cast<Eigen::Index>(i)) = Eigen::Map<const Eigen::VectorXd>(pairs[i].vector.data(), n);
  }
  return x;
}

at::Tensor tensor_of(const std::vector<double>& values, int64_t n) {
  return at::from_blob(const_cast<double*>(values.data()), {n, n}, at::kDouble);
}

}  // namespace

Matrix dense_matrix(krylov::LinearOperator& op) {
  const int64_t n = op.dim();
  Matrix matrix{n, false, Vector(static_cast<size_t>(n * n))};
  Vector unit(static_cast<size_t>(n));
  for (size_t j = 0; j < unit.size(); ++j) {
    unit[j] = 1;
    op.apply(unit, {matrix.values.data() + j * unit.size(), unit.size()});
    unit[j] = 0;
  }
  const at::Tensor a = tensor_of(matrix.values, n);
  a.copy_((a + a.t()) / 2);
  return matrix;
}

std::vector<Eigenpair> leading_of_matrix(const Matrix& matrix, int64_t k) {
  const auto [values, vectors] = at::linalg_eigh(tensor_of(matrix.values, matrix.n));
  const at::Tensor rows = vectors.t().contiguous();
  std::vector<Eigenpair> pairs;
  for (int64_t i = matrix.n - 1; i >= std::max<int64_t>(0, matrix.n - k); --i) {
    const double* x = rows.data_ptr<double>() + i * matrix.n;
    pairs.push_back({values[i].item<double>(), 0, Vector(x, x + matrix.n)});
  }
  return pairs;
}

std::vector<Eigenpair> leading_by_lanczos(krylov::LinearOperator& op, int64_t k, int64_t max_iters) {
  Vector start(static_cast<size_t>(op.dim()));
  Philox(0, "compare-kfac", "start").fill_normal(start);
  const krylov::Reorthogonalization mode = krylov::Full{};
  const krylov::LanczosOptions options{.k = k, .max_iters = std::min(max_iters, op.dim())};
  krylov::LanczosProcess process(op, start, mode, 0, true);
  krylov::run_lanczos(process, mode, options, [](const krylov::LanczosOutcome&) { return true; });
  const auto& f = process.factorization();
  auto evidence =
      krylov::ritz_evidence(op, f, process.basis(), mode,
                            {.k = k, .which = Which::largest, .tol = options.tol, .norm_a = f.norm_estimate});
  std::vector<Eigenpair> pairs;
  for (auto& pair : evidence.pairs) pairs.push_back({pair.value, pair.residual, std::move(pair.vector)});
  return pairs;
}

LeadingComparison compare_leading(std::vector<Eigenpair> a, std::vector<Eigenpair> b) {
  const size_t count = std::min(a.size(), b.size());
  a.resize(count);
  b.resize(count);
  LeadingComparison result;
  if (count == 0) return result;
  for (size_t i = 0; i < count; ++i) {
    result.relative_errors.push_back(std::abs(a[i].value - b[i].value) / std::abs(b[i].value));
  }
  // Cosines of the principal angles are the singular values of X'Y.
  const Eigen::VectorXd cosines =
      Eigen::JacobiSVD<Eigen::MatrixXd>(columns(a).transpose() * columns(b)).singularValues();
  for (const double c : cosines) result.principal_angles.push_back(std::acos(std::min(1.0, c)));
  result.overlap = cosines.squaredNorm() / static_cast<double>(count);
  return result;
}

}  // namespace ritzflow::curvature
