#pragma once
#include <memory>
#include <string>

#include "model/autodiff/head.h"
#include "model/autodiff/network.h"
#include "model/loss.h"

namespace ritzflow::model {

/// The Jacobian J = dh/dtheta of a network's features h at a point and a micro-batch: made once, applied many
/// times. It keeps what does not depend on the vector (features, the autograd graph). Both maps are linear
/// and deterministic. Different objects may be used by different threads at once.
class Linearization {
 public:
  virtual ~Linearization() = default;

  /// h = features(theta, x) [rows, d], detached.
  virtual const at::Tensor& features() const = 0;

  /// J v [rows, d]. Throws std::invalid_argument where v has not the types and shapes of theta.
  virtual at::Tensor jvp(const ParamTensors& v) = 0;

  /// J' w, shaped like the parameters.
  virtual ParamTensors vjp(const at::Tensor& w) = 0;
};

/// The Hessian of the weighted loss sum at a point and a micro-batch.
class HessianLinearization {
 public:
  virtual ~HessianLinearization() = default;

  /// H v, shaped like the parameters.
  virtual ParamTensors hvp(const ParamTensors& v) = 0;

  /// The same as the last use of this object: what it holds may be given up on the way.
  virtual ParamTensors last_hvp(const ParamTensors& v) { return hvp(v); }
};

/// A network's outputs z at a point and a micro-batch, linearised: features and output layer together, with
/// J = dz/dtheta. The logits exist block by block alone (Head). `network` outlives it.
class LinearizedOutputs {
 public:
  LinearizedOutputs(const Network& network, const ParamTensors& theta, const at::Tensor& inputs,
                    Lifetime lifetime);

  const Head& head() const { return head_; }

  /// use(rows, z, u) with u = J v for every block of rows, in order.
  void jvp(const ParamTensors& v,
           const std::function<void(const RowBlock&, const at::Tensor& z, const at::Tensor& u)>& use);

  /// J' w with w given block by block; with w = dl/dz the gradient of the loss.
  ParamTensors vjp(const RowVector& w);

  /// J' B J v with B block-diagonal by row.
  ParamTensors gauss_newton(const ParamTensors& v, const RowMap& b);

 private:
  HeadTensors direction(const ParamTensors& v);
  ParamTensors through_features(const HeadTensors& g);

  std::optional<Layer> layer_;
  std::unique_ptr<Linearization> features_;
  Head head_;
};

/// The loss of some rows of a micro-batch as functions of their logits: gradient and Hessian. `loss` outlives
/// them.
RowVector loss_gradient(const Loss& loss, const at::Tensor& targets, const at::Tensor& weights);
RowMap loss_curvature(const Loss& loss, const at::Tensor& targets, const at::Tensor& weights);

/// Linearises the features with LibTorch's autograd: vjp on a kept graph; jvp in forward mode
/// (Lifetime::one_product), or on the kept graph of the vjp, which is linear in its cotangent: J v =
/// d(v'J'w)/dw (Lifetime::many_products: twice the memory, two thirds of the time, other rounding).
std::unique_ptr<Linearization> linearize_by_autograd(const Network& network, const ParamTensors& theta,
                                                     const at::Tensor& inputs, Lifetime lifetime);

/// Linearises the gradient of sum_i w_i l(z_i, y_i) with LibTorch's autograd in the layout `mode`. The loss
/// and the output layer enter in closed form, so that no loss is differentiated twice. `network` and `loss`
/// outlive the result.
std::unique_ptr<HessianLinearization> linearize_gradient_by_autograd(
    const Network& network, const Loss& loss, const ParamTensors& theta, const at::Tensor& inputs,
    const at::Tensor& targets, const at::Tensor& weights, HessianMode mode);

}  // namespace ritzflow::model
