#include "curvature/kfac_block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>

#include "core/error.h"

namespace ritzflow {
namespace {

// Columns of W that are treated at once: what a product holds beside its vectors.
constexpr int64_t columns_at_once = 256;

using Pieces = std::vector<at::Tensor>;

/// U diag(values) U'.
at::Tensor dense_factor(const at::Tensor& values, const at::Tensor& vectors) {
  return vectors.defined() ? at::mm(vectors * values, vectors.t()) : values;
}

/// W U of pieces side by side.
at::Tensor times(const Pieces& pieces, const at::Tensor& u) {
  at::Tensor product;
  int64_t row = 0;
  for (const auto& piece : pieces) {
    const at::Tensor own = u.narrow(0, row, piece.size(1));
    product = product.defined() ? product.addmm_(piece, own) : at::mm(piece, own);
    row += piece.size(1);
  }
  return product;
}

/// [pieces] += x U', or = where `first`.
void add_times_transposed(const Pieces& pieces, const at::Tensor& x, const at::Tensor& u, bool first) {
  int64_t row = 0;
  for (const at::Tensor& piece : pieces) {
    piece.addmm_(x, u.narrow(0, row, piece.size(1)).t(), first ? 0 : 1);
    row += piece.size(1);
  }
}

/// The same coordinates, ascending, neighbours as one range.
std::vector<Range> joined(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::first);
  std::vector<Range> result;
  for (const Range& range : ranges) {
    if (!result.empty() && result.back().first + result.back().count == range.first) {
      result.back().count += range.count;
    } else {
      result.push_back(range);
    }
  }
  return result;
}

/// use(first, count) for [0, size) in turn.
template <class Use>
void by_columns(int64_t size, const Use& use) {
  for (int64_t first = 0; first < size; first += columns_at_once) {
    use(first, std::min(columns_at_once, size - first));
  }
}

}  // namespace

at::Tensor of_power(const at::Tensor& lambda, const KroneckerPower& power) {
  const at::Tensor damped = lambda + power.damping;
  if (power.power == 1) return damped;
  if (damped.min().item<double>() <= DBL_EPSILON * damped.max().item<double>()) {
    throw InputError(
        fmt::format("--power {}: the operator has eigenvalues that are 0 to rounding; it needs "
                    "--damping above 0",
                    power.power));
  }
  return damped.pow(power.power);
}

KroneckerBlock::KroneckerBlock(const KroneckerLayer& layer, const ParamSpace& space,
                               const KroneckerPower& power)
    : name_(layer.name),
      kind_(layer.kind),
      a_values_(layer.a_eigenvalues),
      g_values_(layer.g_eigenvalues),
      a_(layer.a_eigenvectors),
      g_(layer.g_eigenvectors) {
  const at::AutoGradMode no_grad(false);
  const at::Tensor no_memory = at::empty({space.size()}, at::TensorOptions(at::kDouble).device(at::kMeta));
  for (const auto& view : layer_pieces(layer, space, no_memory)) {
    pieces_.push_back({view.sizes().vec(), view.strides().vec(), view.storage_offset()});
  }
  if (power.is_product()) {
    a_ = dense_factor(a_values_, a_);
    g_ = dense_factor(g_values_, g_);
  } else {
    lambda_ = of_power(layer_eigenvalues(layer, power.ekfac), power).contiguous();
  }
}

std::vector<Range> KroneckerBlock::coordinates() const {
  std::vector<Range> ranges;
  for (const auto& piece : pieces_) {
    const size_t line = piece.strides[0] >= piece.strides[1] ? 0 : 1;
    const bool neighbours = piece.strides[1 - line] == 1 || piece.sizes[1 - line] == 1;
    const int64_t length = neighbours ? piece.sizes[1 - line] : 1;
    for (int64_t i = 0; i < piece.sizes[line]; ++i) {
      for (int64_t j = 0; j < piece.sizes[1 - line]; j += length) {
        ranges.push_back({piece.offset + i * piece.strides[line] + j * piece.strides[1 - line], length});
      }
    }
  }
  return joined(std::move(ranges));
}

std::vector<at::Tensor> KroneckerBlock::views(const at::Tensor& flat) const {
  Pieces all;
  for (const auto& piece : pieces_) all.push_back(flat.as_strided(piece.sizes, piece.strides, piece.offset));
  return all;
}

void KroneckerBlock::apply(const at::Tensor& v, const at::Tensor& out) const {
  const at::AutoGradMode no_grad(false);
  if (kind_ != LayerKind::norm) return apply(views(v), views(out));
  const at::Tensor column =
      at::empty({g_values_.size(0), 1}, at::kDouble);  // its pieces lie one above the other
  apply(Pieces{join_pieces(kind_, views(v))}, Pieces{column});
  write(column, out);
}

void KroneckerBlock::apply(const Pieces& from, const Pieces& to) const {
  lambda_.defined() ? apply_in_eigenbasis(from, to) : apply_factors(from, to);
}

/// to <- G W A, some columns after the other.
void KroneckerBlock::apply_factors(const Pieces& from, const Pieces& to) const {
  int64_t column = 0;
  for (const at::Tensor& piece : to) {
    by_columns(piece.size(1), [&](int64_t first, int64_t count) {
      const at::Tensor wa = a_.dim() == 1 ? join_pieces(kind_, from).narrow(1, column + first, count) *
                                                a_.narrow(0, column + first, count)
                                          : times(from, a_.narrow(1, column + first, count));
      piece.narrow(1, first, count).addmm_(g_, wa, /*beta=*/0);
    });
    column += piece.size(1);
  }
}

/// to <- U_G (Lambda o (U_G' W U_A)) U_A', some columns of U_A after the other.
void KroneckerBlock::apply_in_eigenbasis(const Pieces& from, const Pieces& to) const {
  const at::Tensor identity_from = a_.defined() ? at::Tensor() : join_pieces(kind_, from);
  by_columns(lambda_.size(1), [&](int64_t first, int64_t count) {
    const auto columns = [&](const at::Tensor& x) { return x.narrow(1, first, count); };
    const at::Tensor wu = a_.defined() ? times(from, columns(a_)) : columns(identity_from);
    const at::Tensor x = at::mm(g_, at::mm(g_.t(), wu).mul_(columns(lambda_)));
    if (a_.defined()) {
      add_times_transposed(to, x, columns(a_), first == 0);
    } else {
      columns(to.front()).copy_(x);
    }
  });
}

at::Tensor KroneckerBlock::eigenvalues() const {
  return lambda_.defined() ? lambda_ : at::outer(g_values_, a_values_);
}

KroneckerBlock::Eigenvectors KroneckerBlock::eigenvectors() const {
  if (lambda_.defined()) return {a_, g_};
  return {a_.dim() == 1 ? at::Tensor() : eigenpairs(a_).vectors, eigenpairs(g_).vectors};
}

void KroneckerBlock::write(const at::Tensor& w, const at::Tensor& x) const {
  write_pieces(kind_, w, views(x));
}

int64_t KroneckerBlock::numbers() const {
  const auto count = [](const at::Tensor& x) { return x.defined() ? x.numel() : 0; };
  return count(a_) + count(g_) + count(lambda_);
}

}  // namespace ritzflow
