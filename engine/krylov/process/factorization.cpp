#include "krylov/process/factorization.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "core/kernels.h"
#include "core/philox.h"

namespace ritzflow::krylov {

double breakdown_level(int64_t n) {
  return 10 * std::sqrt(static_cast<double>(n)) * std::numeric_limits<double>::epsilon();
}

std::vector<double> KrylovFactorization::alphas() const {
  std::vector<double> diagonal;
  for (const auto& column : columns) diagonal.push_back(column.back());
  return diagonal;
}

Eigen::MatrixXd KrylovFactorization::H() const {
  const int64_t m = size();
  Eigen::MatrixXd h = Eigen::MatrixXd::Zero(m, m);
  for (int64_t j = 0; j < m; ++j) {
    const auto& column = columns[static_cast<size_t>(j)];
    h.col(j).head(j + 1) = Eigen::Map<const Eigen::VectorXd>(column.data(), j + 1);
    if (j + 1 < m) h(j + 1, j) = beta[static_cast<size_t>(j)];
  }
  const auto l = static_cast<int64_t>(spike.size());
  if (l > 0) h.row(l).head(l) = Eigen::Map<const Eigen::RowVectorXd>(spike.data(), l);
  return h;
}

LanczosProcess::LanczosProcess(LinearOperator& op, VectorView start, Reorthogonalization mode, uint64_t seed,
                               bool keep_all)
    : LanczosProcess(op, start, mode, seed,
                     make_ram_basis(op.dim(), {.capacity = keep_all ? 0 : rows_needed(mode)})) {}

LanczosProcess::LanczosProcess(LinearOperator& op, VectorView start, Reorthogonalization mode, uint64_t seed,
                               std::unique_ptr<Basis> basis)
    : operator_(op), mode_(mode), seed_(seed), basis_(std::move(basis)) {
  check_mode(mode, op.dim());
  if (static_cast<int64_t>(start.size()) != op.dim()) {
    throw InputError("start vector has length " + std::to_string(start.size()) +
                     ", the operator has dimension " + std::to_string(op.dim()));
  }
  auto& q = factorization_.residual_vector;
  q.assign(start.begin(), start.end());
  const double length = norm(q);
  if (!std::isfinite(length) || length == 0) {
    throw InputError("start vector is zero or not finite; any other vector will do");
  }
  // A vector that is of unit length to rounding is taken as it stands: q_0 and the stored start agree in
  // every bit.
  if (std::abs(length - 1) > 1e-14) scale(1 / length, q);
}

LanczosProcess::LanczosProcess(LinearOperator& op, Reorthogonalization mode, uint64_t seed,
                               KrylovFactorization state, std::unique_ptr<Basis> basis)
    : operator_(op), mode_(mode), seed_(seed), basis_(std::move(basis)), factorization_(std::move(state)) {}

bool LanczosProcess::step() {
  auto& f = factorization_;
  if (f.exhausted) return false;
  restart_if_full(mode_, f, *basis_);
  basis_->append(f.residual_vector);
  // w = A q_j with q_j as it is stored, into the memory of the vector that the basis has just copied
  q_.resize(f.residual_vector.size());
  basis_->copy_row(basis_->size() - 1, q_);
  VectorSpan w(f.residual_vector);
  operator_.apply(q_, w);
  const double length = norm(w);
  if (!std::isfinite(length)) {
    throw InputError("product " + std::to_string(f.products + 1) +
                     " of the operator has a NaN or an infinity");
  }
  f.norm_estimate = std::max(f.norm_estimate, length);
  std::vector<double> column(static_cast<size_t>(f.size() + 1), 0.0);
  const double beta = orthogonalize(mode_, *basis_, {f.columns, f.beta, f.norm_estimate}, w, column);
  ++f.products;
  f.columns.push_back(std::move(column));
  f.beta.push_back(beta);
  if (beta > breakdown_level(operator_.dim()) * f.norm_estimate) {
    scale(1 / beta, w);
  } else {
    continue_behind_invariant_subspace(w);
  }
  return true;
}

// beta_j = 0 decouples H: a fresh direction orthogonal to all rows keeps the relation true and continues to
// the eigenvectors that the start vector does not see. Without all rows no such direction is to be had.
void LanczosProcess::continue_behind_invariant_subspace(VectorSpan w) {
  auto& f = factorization_;
  f.beta.back() = 0;
  f.exhausted = true;
  if (!keeps_orthogonality(mode_) || f.size() >= operator_.dim()) {
    std::fill(w.begin(), w.end(), 0.0);
    return;
  }
  Philox(seed_, "lanczos", "direction behind step " + std::to_string(f.products)).fill_normal(w);
  scale(1 / norm(w), w);
  std::vector<double> discarded(static_cast<size_t>(basis_->size()), 0.0);
  const double length = orthogonalize(Full{}, *basis_, {}, w, discarded);
  if (length < 1e-8) {  // n random numbers all but inside the span: the basis is the whole space
    std::fill(w.begin(), w.end(), 0.0);
    return;
  }
  scale(1 / length, w);
  f.exhausted = false;
}

}  // namespace ritzflow::krylov
