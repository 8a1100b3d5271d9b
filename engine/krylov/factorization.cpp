#include "krylov/factorization.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "core/kernels.h"
#include "core/philox.h"

namespace ritzflow {
namespace {

// Below this multiple of ||A|| the new direction is rounding noise: the basis spans an invariant subspace.
double breakdown_level(int64_t n) {
  return 10 * std::sqrt(static_cast<double>(n)) * std::numeric_limits<double>::epsilon();
}

}  // namespace

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
  return h;
}

LanczosProcess::LanczosProcess(LinearOperator& op, VectorView start, Reorthogonalization mode, uint64_t seed,
                               bool keep_all)
    : operator_(op),
      mode_(mode),
      seed_(seed),
      basis_(make_ram_basis(op.dim(), keep_all ? 0 : rows_needed(mode))) {
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
  scale(1 / length, q);
}

LanczosProcess::LanczosProcess(LinearOperator& op, Reorthogonalization mode, uint64_t seed,
                               KrylovFactorization state, std::unique_ptr<Basis> basis)
    : operator_(op), mode_(mode), seed_(seed), basis_(std::move(basis)), factorization_(std::move(state)) {}

bool LanczosProcess::step() {
  auto& f = factorization_;
  if (f.exhausted) return false;
  basis_->append(f.residual_vector);
  // w = A q_j, into the memory of the vector that the basis has just copied
  VectorSpan w(f.residual_vector);
  operator_.apply(basis_->row(f.size()), w);
  if (!all_finite(w)) {
    throw InputError("product " + std::to_string(f.size() + 1) + " of the operator has a NaN or an infinity");
  }
  std::vector<double> column(static_cast<size_t>(f.size() + 1), 0.0);
  const double beta = orthogonalize(mode_, *basis_, f.beta.empty() ? 0.0 : f.beta.back(), w, column);
  f.norm_estimate_ = std::max(f.norm_estimate_, std::hypot(norm(column), beta));
  f.columns.push_back(std::move(column));
  f.beta.push_back(beta);
  if (beta > breakdown_level(operator_.dim()) * f.norm_estimate_) {
    scale(1 / beta, w);
  } else {
    continue_behind_invariant_subspace(w);
  }
  return true;
}

// beta_j = 0 decouples H: a fresh direction orthogonal to all rows keeps the relation true and goes on to the
// eigenvectors that the start vector does not see. Without all rows no such direction is to be had.
void LanczosProcess::continue_behind_invariant_subspace(VectorSpan w) {
  auto& f = factorization_;
  f.beta.back() = 0;
  f.exhausted = true;
  if (!keeps_orthogonality(mode_) || f.size() >= operator_.dim()) {
    std::fill(w.begin(), w.end(), 0.0);
    return;
  }
  Philox(seed_, "lanczos", "direction behind step " + std::to_string(f.size())).fill_normal(w);
  scale(1 / norm(w), w);
  std::vector<double> discarded(static_cast<size_t>(basis_->size()), 0.0);
  const double length = orthogonalize(mode_, *basis_, 0, w, discarded);
  if (length < 1e-8) {  // n random numbers all but inside the span: the basis is the whole space
    std::fill(w.begin(), w.end(), 0.0);
    return;
  }
  scale(1 / length, w);
  f.exhausted = false;
}

}  // namespace ritzflow
