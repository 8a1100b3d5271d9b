#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/vector.h"
#include "model/autodiff/param_space.h"
#include "model/autodiff/taps.h"

namespace ritzflow::model {

/// Appends `<name>.weight` [out, in] and `<name>.bias` [out].
Layer add_linear(ParamSpace& params, const std::string& name, int64_t in, int64_t out, bool bias);

/// Appends `<name>.weight` [out, in, 3, 3] and `<name>.bias` [out].
Layer add_conv3x3(ParamSpace& params, const std::string& name, int64_t in, int64_t out);

/// Appends `<name>.weight` [width] and `<name>.bias` [width], the scale and shift of a norm.
Layer add_norm(ParamSpace& params, const std::string& name, int64_t width);

// Each function below also appends what it did to `taps`, where there are any.
//
// Norms and softmax keep statistics in float32 at least. Where a tangent and a graph meet they are written
// out in elementary operations: the second derivatives that LibTorch's kernels give there are missing
// (softmax) or wrong, for they take mean and deviation as constants (norms).

/// x W' + b over the last dimension of x.
at::Tensor linear(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, Taps* taps = nullptr);

/// 3 x 3 convolution with stride 1 and zero padding 1 of images [N, C, H, W].
at::Tensor conv3x3(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, Taps* taps = nullptr);

/// The patches that conv3x3 multiplies: images [N, C, H, W] -> [N, H W, 9 C], elements in the weight's order.
at::Tensor unfold3x3(const at::Tensor& x);

/// Rows `indices` [N, R] of the table `layer.weight` [rows, d]: [N, R, d].
at::Tensor embedding(const Layer& layer, const ParamTensors& theta, const at::Tensor& indices,
                     Taps* taps = nullptr);

/// Normalisation over the last dimension (biased variance, eps 1e-5), then scale and shift.
at::Tensor layer_norm(const Layer& layer, const ParamTensors& theta, const at::Tensor& x,
                      Taps* taps = nullptr);

/// Normalisation over each of `groups` groups of channels and all pixels of a sample, then scale and shift.
at::Tensor group_norm(const Layer& layer, const ParamTensors& theta, const at::Tensor& x, int64_t groups,
                      Taps* taps = nullptr);

/// Softmax over the last dimension; rows may hold -infinity.
at::Tensor softmax(const at::Tensor& x);

/// Fills parts of a starting point; each parameter has a random stream of its own, named after it.
class Initializer {
 public:
  Initializer(const ParamSpace& params, uint64_t seed, VectorSpan theta)
      : params_(params), seed_(seed), theta_(theta) {}

  /// Weight and bias uniform in +-1 / sqrt(fan_in), fan_in = elements of one row of the weight: the default
  /// of PyTorch's linear and convolution layers.
  void uniform(const Layer& layer);
  /// Normal elements of standard deviation `sd`.
  void normal(size_t parameter, double sd);
  /// Weight normal with `sd`, bias 0.
  void normal(const Layer& layer, double sd);
  /// Scale 1, shift 0.
  void norm(const Layer& layer);

 private:
  VectorSpan part(size_t parameter) const;
  void uniform(size_t parameter, double bound);
  void constant(size_t parameter, double value);

  const ParamSpace& params_;
  uint64_t seed_;
  VectorSpan theta_;
};

}  // namespace ritzflow::model
