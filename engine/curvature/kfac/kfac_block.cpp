#include "curvature/kfac/kfac_block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cfloat>

#include "core/error.h"

namespace ritzflow::curvature {
namespace {

// Rows of W that are treated at once, or columns: what a product holds beside its vectors. With fewer, MKL
// spends more time on the factors' layout.
constexpr int64_t lines_at_once = 512;

using Pieces = std::vector<at::Tensor>;

/// U diag(values) U'.
at::Tensor dense_factor(const at::Tensor& values, const at::Tensor& vectors) {
  return vectors.defined() ? at::mm(vectors * values, vectors.t()) : values;
}

/// use(i, first column) for each piece, side by side.
template <class Use>
void by_pieces(const Pieces& pieces, const Use& use) {
  int64_t column = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    use(i, column);
    column += pieces[i].size(1);
  }
}

/// g W of pieces side by side, `width` columns.
at::Tensor times(const at::Tensor& g, const Pieces& pieces, int64_t width) {
  const at::Tensor product = at::empty({g.size(0), width}, g.options());
  by_pieces(pieces, [&](size_t i, int64_t column) {
    product.narrow(1, column, pieces[i].size(1)).addmm_(g, pieces[i], /*beta=*/0);
  });
  return product;
}

/// The same coordinates, ascending, neighbours as one range.
std::vector<IndexRange> joined(std::vector<IndexRange> ranges) {
  std::ranges::sort(ranges, {}, &IndexRange::first);
  std::vector<IndexRange> result;
  for (const IndexRange& range : ranges) {
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
void by_lines(int64_t size, const Use& use) {
  for (int64_t first = 0; first < size; first += lines_at_once) {
    use(first, std::min(lines_at_once, size - first));
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

KroneckerBlock::KroneckerBlock(const KroneckerLayer& layer, const model::ParamSpace& space,
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

std::vector<IndexRange> KroneckerBlock::coordinates() const {
  std::vector<IndexRange> ranges;
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
  if (kind_ != model::LayerKind::norm) return apply(views(v), views(out));
  const at::Tensor column =
      at::empty({g_values_.size(0), 1}, at::kDouble);  // its pieces lie one above the other
  apply(Pieces{join_pieces(kind_, views(v))}, Pieces{column});
  write(column, out);
}

void KroneckerBlock::apply(const Pieces& from, const Pieces& to) const {
  if (!lambda_.defined()) {
    apply_factors(from, to);
  } else if (a_.defined()) {
    apply_in_eigenbasis(from, to);
  } else {
    apply_in_eigenbasis_of_g(from, to);
  }
}

/// to <- G W A, some rows after the other.
void KroneckerBlock::apply_factors(const Pieces& from, const Pieces& to) const {
  if (a_.dim() == 1) {
    return by_pieces(to, [&](size_t i, int64_t column) {
      to[i].addmm_(g_, from[i], /*beta=*/0).mul_(a_.narrow(0, column, to[i].size(1)));
    });
  }
  by_lines(g_.size(0), [&](int64_t first, int64_t count) {
    const at::Tensor gw = times(g_.narrow(0, first, count), from, a_.size(0));
    by_pieces(to, [&](size_t i, int64_t column) {
      to[i].narrow(0, first, count).addmm_(gw, a_.narrow(1, column, to[i].size(1)), /*beta=*/0);
    });
  });
}

/// to <- U_G (Lambda o (U_G' W U_A)) U_A', some columns of U_G after the other.
void KroneckerBlock::apply_in_eigenbasis(const Pieces& from, const Pieces& to) const {
  by_lines(lambda_.size(0), [&](int64_t first, int64_t count) {
    const at::Tensor u_g = g_.narrow(1, first, count);
    const at::Tensor x = at::mm(times(u_g.t(), from, a_.size(0)), a_).mul_(lambda_.narrow(0, first, count));
    const at::Tensor xu = at::mm(x, a_.t());
    by_pieces(to, [&](size_t i, int64_t column) {
      to[i].addmm_(u_g, xu.narrow(1, column, to[i].size(1)), /*beta=*/first == 0 ? 0 : 1);
    });
  });
}

/// The same where U_A is the identity, some columns of W after the other.
void KroneckerBlock::apply_in_eigenbasis_of_g(const Pieces& from, const Pieces& to) const {
  by_pieces(to, [&](size_t i, int64_t column) {
    by_lines(to[i].size(1), [&](int64_t first, int64_t count) {
      const at::Tensor x = at::mm(g_.t(), from[i].narrow(1, first, count));
      x.mul_(lambda_.narrow(1, column + first, count));
      to[i].narrow(1, first, count).addmm_(g_, x, /*beta=*/0);
    });
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

}  // namespace ritzflow::curvature
