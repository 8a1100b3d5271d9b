#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "model/autodiff/param_space.h"
#include "model/autodiff/taps.h"

namespace ritzflow::model {

/// Rows [first, first + count) of a micro-batch: what is at work at once.
struct RowBlock {
  int64_t first, count;
  at::Tensor of(const at::Tensor& t) const { return t.narrow(0, first, count); }
};

/// A point, a direction or a gradient in the arguments of the output layer: features [rows, d], weight [C, d]
/// and bias [C]. Undefined tensors are zero.
struct HeadTensors {
  at::Tensor features, weight, bias;
};

/// A direction in theta as one of the output layer.
HeadTensors head_direction(const std::optional<Layer>& layer, const at::Tensor& features,
                           const ParamTensors& v);

/// Adds the gradients of weight and bias to those of the parameters, in place.
void add_head_gradient(const std::optional<Layer>& layer, const HeadTensors& g, ParamTensors& sum);

/// w = r(z) on the logits [count, C] of a block of rows.
using RowVector = std::function<at::Tensor(const RowBlock& rows, const at::Tensor& z)>;
/// w = B(z) u, linear in u [count, C], row by row.
using RowMap = std::function<at::Tensor(const RowBlock& rows, const at::Tensor& z, const at::Tensor& u)>;

/// The output layer z = h W' + b of one micro-batch, fused with what is done to the logits: rows are worked
/// off in blocks of at most 2^22 logits, so that nothing of size rows x C beyond a block is ever allocated.
/// Where the network has no output layer the features are the logits, in one block.
class Head {
 public:
  /// `features` [rows, d]; `theta` holds the weight and bias that `layer` names. Neither keeps a graph.
  Head(const at::Tensor& features, const std::optional<Layer>& layer, const ParamTensors& theta);

  int64_t rows() const { return features_.size(0); }
  /// Bytes of a number.
  int64_t item_size() const { return static_cast<int64_t>(features_.element_size()); }
  /// C.
  int64_t outputs() const { return weight_.defined() ? weight_.size(0) : features_.size(1); }

  /// use(rows, z) for every block, in order.
  void for_each_block(const std::function<void(const RowBlock&, const at::Tensor& z)>& use) const;

  /// use(rows, z, u) with the logits' tangent u = dh W' + h dW' + db along `direction`.
  void for_each_block(
      const HeadTensors& direction,
      const std::function<void(const RowBlock&, const at::Tensor& z, const at::Tensor& u)>& use) const;

  /// The transpose of the map direction -> u applied to w = r(z): (w W, w'h, w'1).
  HeadTensors pull_back(const RowVector& r) const;

  /// The same with w = B(z) u and u as above: the Gauss-Newton product of the output layer.
  HeadTensors gauss_newton(const HeadTensors& direction, const RowMap& b) const;

  /// The second derivative along `direction` of the sum of a loss with gradient r and Hessian B on the
  /// logits: gauss_newton() plus (r dW, r'dh, 0).
  HeadTensors hessian(const HeadTensors& direction, const RowVector& r, const RowMap& b) const;

 private:
  at::Tensor logits(const RowBlock& rows) const;
  at::Tensor tangent(const RowBlock& rows, const HeadTensors& direction) const;
  HeadTensors zeros() const;
  void add(const RowBlock& rows, const at::Tensor& w, HeadTensors& sum) const;

  at::Tensor features_, weight_, bias_;
  at::Tensor logits_;  ///< kept where one block holds them all
  int64_t block_;
};

}  // namespace ritzflow::model
