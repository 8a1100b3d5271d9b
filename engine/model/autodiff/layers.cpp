#include "model/autodiff/layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "model/autodiff/autograd.h"

namespace ritzflow::model {
namespace {

std::optional<at::Tensor> bias_of(const Layer& layer, const ParamTensors& theta) {
  return layer.bias ? std::optional(theta[*layer.bias]) : std::nullopt;
}

/// Appends the tap, if any are wanted, and hands on its output.
at::Tensor tapped(Taps* taps, LayerKind kind, const Layer& layer, const at::Tensor& input,
                  const at::Tensor& output) {
  if (taps) taps->push_back({kind, layer, input.detach(), output});
  return output;
}

constexpr double norm_eps = 1e-5;

/// (x - mean) / sqrt(variance + eps) over the last dimension.
at::Tensor standardized(const at::Tensor& x) {
  const at::Tensor centred = x - x.mean(-1, /*keepdim=*/true);
  return centred * (centred.square().mean(-1, /*keepdim=*/true) + norm_eps).rsqrt();
}

/// bfloat16 as float32.
at::Tensor widened(const at::Tensor& x) { return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x; }

at::Tensor normalized(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) {
  if (has_tangent_and_graph(x)) return standardized(x) * scale + shift;
  return at::layer_norm(x, {x.size(-1)}, scale, shift, norm_eps);
}

at::Tensor group_normalized(const at::Tensor& x, int64_t groups, const at::Tensor& scale,
                            const at::Tensor& shift) {
  if (!has_tangent_and_graph(x)) return at::group_norm(x, groups, scale, shift, norm_eps);
  const at::Tensor y = standardized(x.reshape({x.size(0), groups, -1})).view_as(x);
  return y * scale.view({1, -1, 1, 1}) + shift.view({1, -1, 1, 1});
}

Philox stream(uint64_t seed, const Parameter& parameter) {
  return {seed, "train-model", "initial " + parameter.name};
}

}  // namespace

at::Tensor by_position(const at::Tensor& x, int64_t samples) {
  return x.dim() == 4 ? x.flatten(2).transpose(1, 2) : x.reshape({samples, -1, x.size(-1)});
}

Layer add_linear(ParamSpace& params, const std::string& name, int64_t in, int64_t out, bool bias) {
  Layer layer{params.add(name + ".weight", {out, in}), std::nullopt};
  if (bias) layer.bias = params.add(name + ".bias", {out});
  return layer;
}

Layer add_conv3x3(ParamSpace& params, const std::string& name, int64_t in, int64_t out) {
  const size_t weight = params.add(name + ".weight", {out, in, 3, 3});
  return {weight, params.add(name + ".bias", {out})};
}

Layer add_norm(ParamSpace& params, const std::string& name, int64_t width) {
  const size_t weight = params.add(name + ".weight", {width});
  return {weight, params.add(name + ".bias", {width})};
}

at::Tensor linear(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, Taps* taps) {
  return tapped(taps, LayerKind::linear, layer, x, at::linear(x, theta[layer.weight], bias_of(layer, theta)));
}

at::Tensor conv3x3(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, Taps* taps) {
  return tapped(taps, LayerKind::convolution, layer, x,
                at::conv2d(x, theta[layer.weight], bias_of(layer, theta), /*stride=*/1, /*padding=*/1));
}

at::Tensor unfold3x3(const at::Tensor& x) {
  return at::im2col(x, {3, 3}, /*dilation=*/{1, 1}, /*padding=*/{1, 1}, /*stride=*/{1, 1}).transpose(1, 2);
}

at::Tensor embedding(const Layer& layer, const ParamTensors& theta, const at::Tensor& indices, Taps* taps) {
  return tapped(taps, LayerKind::embedding, layer, indices, at::embedding(theta[layer.weight], indices));
}

at::Tensor layer_norm(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, Taps* taps) {
  const at::Tensor y =
      normalized(widened(x), widened(theta[layer.weight]), widened(theta[*layer.bias])).to(x.scalar_type());
  if (taps) tapped(taps, LayerKind::norm, layer, at::layer_norm(x.detach(), {x.size(-1)}), y);
  return y;
}

at::Tensor group_norm(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, int64_t groups,
                      Taps* taps) {
  const at::Tensor y =
      group_normalized(widened(x), groups, widened(theta[layer.weight]), widened(theta[*layer.bias]))
          .to(x.scalar_type());
  if (taps) tapped(taps, LayerKind::norm, layer, at::group_norm(x.detach(), groups), y);
  return y;
}

at::Tensor softmax(const at::Tensor& x) {
  const at::Tensor wide = widened(x);
  if (!has_tangent_and_graph(x)) return at::softmax(wide, -1).to(x.scalar_type());
  const at::Tensor powers = (wide - wide.detach().amax(-1, /*keepdim=*/true)).exp();
  return (powers / powers.sum(-1, /*keepdim=*/true)).to(x.scalar_type());
}

void Initializer::uniform(const Layer& layer) {
  const Parameter& weight = params_.parameters()[layer.weight];
  const double fan_in = static_cast<double>(weight.size) / static_cast<double>(weight.shape[0]);
  uniform(layer.weight, 1.0 / std::sqrt(fan_in));
  if (layer.bias) uniform(*layer.bias, 1.0 / std::sqrt(fan_in));
}

void Initializer::normal(size_t parameter, double sd) {
  const VectorSpan x = part(parameter);
  stream(seed_, params_.parameters()[parameter]).fill_normal(x);
  for (double& element : x) element *= sd;
}

void Initializer::normal(const Layer& layer, double sd) {
  normal(layer.weight, sd);
  if (layer.bias) constant(*layer.bias, 0.0);
}

void Initializer::norm(const Layer& layer) {
  constant(layer.weight, 1.0);
  constant(*layer.bias, 0.0);
}

VectorSpan Initializer::part(size_t parameter) const {
  const Parameter& p = params_.parameters()[parameter];
  return theta_.subspan(static_cast<size_t>(p.offset), static_cast<size_t>(p.size));
}

void Initializer::uniform(size_t parameter, double bound) {
  const VectorSpan x = part(parameter);
  const Philox random = stream(seed_, params_.parameters()[parameter]);
  for (size_t i = 0; i < x.size(); ++i) x[i] = bound * (2.0 * random.uniform(i) - 1.0);
}

void Initializer::constant(size_t parameter, double value) { std::ranges::fill(part(parameter), value); }

}  // namespace ritzflow::model
