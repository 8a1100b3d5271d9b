#include "model/autodiff/head.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace ritzflow::model {
namespace {

/// Logits at once: 16 MB in float32. A constant, for the order of the sums over rows depends on it.
constexpr int64_t elements_at_once = int64_t{1} << 22;

}  // namespace

HeadTensors head_direction(const std::optional<Layer>& layer, const at::Tensor& features,
                           const ParamTensors& v) {
  if (!layer) return {features, {}, {}};
  return {features, v[layer->weight], layer->bias ? v[*layer->bias] : at::Tensor()};
}

void add_head_gradient(const std::optional<Layer>& layer, const HeadTensors& g, ParamTensors& sum) {
  if (!layer) return;
  const at::AutoGradMode no_grad(false);
  sum[layer->weight].add_(g.weight);
  if (layer->bias) sum[*layer->bias].add_(g.bias);
}

Head::Head(const at::Tensor& features, const std::optional<Layer>& layer, const ParamTensors& theta)
    : features_(features.detach()) {
  if (!layer) {
    logits_ = features_;
    block_ = rows();
    return;
  }
  weight_ = theta[layer->weight].detach();
  if (layer->bias) bias_ = theta[*layer->bias].detach();
  block_ = std::clamp<int64_t>(elements_at_once / outputs(), 1, rows());
  if (block_ == rows()) logits_ = logits({0, rows()});
}

at::Tensor Head::logits(const RowBlock& rows) const {
  if (logits_.defined()) return rows.of(logits_);
  const at::AutoGradMode no_grad(false);
  return at::linear(rows.of(features_), weight_, bias_.defined() ? std::optional(bias_) : std::nullopt);
}

at::Tensor Head::tangent(const RowBlock& rows, const HeadTensors& direction) const {
  if (!weight_.defined()) return rows.of(direction.features);
  const auto bias = direction.bias.defined() ? std::optional(direction.bias) : std::nullopt;
  at::Tensor u = at::linear(rows.of(features_), direction.weight, bias);
  if (direction.features.defined()) u.addmm_(rows.of(direction.features), weight_.t());
  return u;
}

HeadTensors Head::zeros() const {
  if (!weight_.defined()) return {at::empty_like(features_), {}, {}};
  return {at::empty_like(features_), at::zeros_like(weight_),
          bias_.defined() ? at::zeros_like(bias_) : bias_};
}

/// Adds (w W, w'h, w'1) of a block whose features' rows are still unset.
void Head::add(const RowBlock& rows, const at::Tensor& w, HeadTensors& sum) const {
  at::Tensor part = rows.of(sum.features);
  if (!weight_.defined()) {
    part.copy_(w);
    return;
  }
  at::mm_out(part, w, weight_);
  sum.weight.addmm_(w.t(), rows.of(features_));
  if (bias_.defined()) sum.bias.add_(w.sum(0));
}

void Head::for_each_block(const std::function<void(const RowBlock&, const at::Tensor&)>& use) const {
  const at::AutoGradMode no_grad(false);
  for (int64_t first = 0; first < rows(); first += block_) {
    const RowBlock rows_now{first, std::min(block_, rows() - first)};
    use(rows_now, logits(rows_now));
  }
}

void Head::for_each_block(
    const HeadTensors& direction,
    const std::function<void(const RowBlock&, const at::Tensor&, const at::Tensor&)>& use) const {
  for_each_block(
      [&](const RowBlock& rows_now, const at::Tensor& z) { use(rows_now, z, tangent(rows_now, direction)); });
}

HeadTensors Head::pull_back(const RowVector& r) const {
  HeadTensors sum = zeros();
  for_each_block([&](const RowBlock& rows_now, const at::Tensor& z) { add(rows_now, r(rows_now, z), sum); });
  return sum;
}

HeadTensors Head::gauss_newton(const HeadTensors& direction, const RowMap& b) const {
  HeadTensors sum = zeros();
  for_each_block(direction, [&](const RowBlock& rows_now, const at::Tensor& z, const at::Tensor& u) {
    add(rows_now, b(rows_now, z, u), sum);
  });
  return sum;
}

HeadTensors Head::hessian(const HeadTensors& direction, const RowVector& r, const RowMap& b) const {
  HeadTensors sum = zeros();
  for_each_block(direction, [&](const RowBlock& rows_now, const at::Tensor& z, const at::Tensor& u) {
    add(rows_now, b(rows_now, z, u), sum);
    if (!weight_.defined()) return;
    const at::Tensor gradient = r(rows_now, z);
    rows_now.of(sum.features).addmm_(gradient, direction.weight);
    if (direction.features.defined()) {
      sum.weight.addmm_(gradient.t(), rows_now.of(direction.features));
    }
  });
  return sum;
}

}  // namespace ritzflow::model
