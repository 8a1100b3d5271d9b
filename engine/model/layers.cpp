#include "model/layers.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>

#include <algorithm>
#include <cmath>

#include "core/philox.h"

namespace ritzflow {
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

Philox stream(uint64_t seed, const Parameter& parameter) {
  return {seed, "train-model", "initial " + parameter.name};
}

}  // namespace

std::string to_string(LayerKind kind) {
  switch (kind) {
    case LayerKind::linear:
      return "linear";
    case LayerKind::convolution:
      return "convolution";
    case LayerKind::embedding:
      return "embedding";
    case LayerKind::norm:
      break;
  }
  return "norm";
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
  const at::Tensor y = at::layer_norm(x, {x.size(-1)}, theta[layer.weight], bias_of(layer, theta));
  if (taps) tapped(taps, LayerKind::norm, layer, at::layer_norm(x.detach(), {x.size(-1)}), y);
  return y;
}

at::Tensor group_norm(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, int64_t groups,
                      Taps* taps) {
  const at::Tensor y = at::group_norm(x, groups, theta[layer.weight], bias_of(layer, theta));
  if (taps) tapped(taps, LayerKind::norm, layer, at::group_norm(x.detach(), groups), y);
  return y;
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

}  // namespace ritzflow
