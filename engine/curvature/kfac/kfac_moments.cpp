#include "curvature/kfac/kfac_moments.h"

#include <ATen/ATen.h>

#include "model/autodiff/layers.h"

namespace ritzflow::curvature {
namespace {

// Gradients of this many elements stay in the cache between the product and its square.
constexpr int64_t elements_at_once = int64_t{1} << 17;

}  // namespace

TapMoments::TapMoments(const model::Tap& tap, const at::Tensor& weights, int64_t samples,
                       WeightSharing sharing, int64_t table_rows)
    : kind_(tap.kind),
      bias_(tap.layer.bias.has_value()),
      sharing_(sharing),
      samples_(samples),
      table_rows_(table_rows) {
  if (kind_ == model::LayerKind::embedding) {
    a_ = tap.input.clamp_min(0);
  } else if (kind_ == model::LayerKind::convolution) {
    a_ = model::unfold3x3(tap.input);
  } else {
    a_ = model::by_position(tap.input, samples);
  }
  if (bias_ && kind_ != model::LayerKind::norm) a_ = with_ones(a_, tap.groups);
  const at::Tensor terms = weights.view({samples, -1});
  const int64_t positions = a_.size(1);
  weights_ = terms.size(1) == positions
                 ? terms
                 : (terms.sum(1, true) / static_cast<double>(positions)).expand({samples, positions});
  if (kind_ == model::LayerKind::embedding) weights_ = weights_ * tap.input.ge(0);
}

at::Tensor TapMoments::with_ones(const at::Tensor& a, int64_t groups) const {
  const at::Tensor grouped = a.unflatten(2, {groups, -1});
  return at::cat({grouped, at::ones({samples_, a.size(1), groups, 1}, a.options())}, 3).flatten(2);
}

void TapMoments::add_inputs(SymmetricSum& sum, const IndexRange& columns) const {
  if (kind_ == model::LayerKind::embedding) {
    if (sum.empty()) sum.push_back(at::zeros({table_rows_}, weights_.options()));
    sum.front().index_add_(0, a_.reshape({-1}), weights_.reshape({-1}));
  } else if (kind_ == model::LayerKind::norm) {
    add_outer_products(sum, at::ones({samples_, a_.size(1), 1}, a_.options()), weights_);
  } else {
    const at::Tensor a = a_.narrow(2, columns.first, columns.count);
    const bool reduce = sharing_ == WeightSharing::reduce;
    add_outer_products(sum, reduce ? a.mean(1) : a, reduce ? weights_.sum(1) : weights_);
  }
}

at::Tensor TapMoments::output_gradient(const at::Tensor& gradient) const {
  const at::Tensor g = model::by_position(gradient, samples_);
  if (kind_ != model::LayerKind::norm) return g;
  const at::Tensor scale = (g * a_).sum(1, true);
  return bias_ ? at::cat({scale, g.sum(1, true)}, 2) : scale;
}

void TapMoments::add_outputs(SymmetricSum& sum, const at::Tensor& g) const {
  const bool reduce = sharing_ == WeightSharing::reduce && kind_ != model::LayerKind::embedding;
  add_outer_products(sum, reduce ? g.sum(1) : g);
}

at::Tensor TapMoments::rotated_inputs(const IndexRange& columns, const at::Tensor& u_a) const {
  if (kind_ == model::LayerKind::norm) return at::ones({samples_, 1, 1}, a_.options());
  if (kind_ == model::LayerKind::embedding) return a_;
  const at::Tensor a = a_.narrow(2, columns.first, columns.count);
  return u_a.defined() ? at::matmul(a, u_a) : a;
}

/// The gradient of a sample has a column for each index that the sample holds: sums over equal (n, index).
void TapMoments::add_table_second_moment(at::Tensor& sum, const at::Tensor& g) const {
  const at::Tensor sample = at::arange(samples_, a_.options()).unsqueeze(1) * table_rows_;
  const auto [pairs, place, counts] = at::_unique2((a_ + sample).reshape({-1}), true, true);
  const at::Tensor columns =
      at::zeros({pairs.size(0), g.size(2)}, g.options()).index_add_(0, place, g.reshape({-1, g.size(2)}));
  sum.t().index_add_(0, pairs.remainder(table_rows_), columns.square());
}

void TapMoments::add_second_moment(at::Tensor& sum, const at::Tensor& g, const at::Tensor& a) const {
  if (kind_ == model::LayerKind::embedding) return add_table_second_moment(sum, g);
  if (a.size(1) == 1) {
    sum.addmm_(g.squeeze(1).square().t(), a.squeeze(1).square());
    return;
  }
  const int64_t chunk = std::clamp<int64_t>(elements_at_once / sum.numel(), 1, samples_);
  for (int64_t first = 0; first < samples_; first += chunk) {
    const int64_t count = std::min(chunk, samples_ - first);
    const at::Tensor gradients =
        at::bmm(g.narrow(0, first, count).transpose(1, 2), a.narrow(0, first, count));
    if (count == 1) {
      sum.addcmul_(gradients[0], gradients[0]);
    } else {
      sum.add_(gradients.square_().sum(0));
    }
  }
}

}  // namespace ritzflow::curvature
