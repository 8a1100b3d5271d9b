#pragma once
#include <memory>

#include "model/loss.h"
#include "model/network.h"

namespace ritzflow {

/// The network's Jacobian J = df/dtheta at a point and a micro-batch: made once, applied many times. It keeps
/// what does not depend on the vector (logits, the autograd graph). Both maps are linear and deterministic.
class Linearization {
 public:
  virtual ~Linearization() = default;

  /// z = f(theta, x) [rows, C], detached.
  virtual const at::Tensor& logits() const = 0;

  /// u = J v [rows, C].
  virtual at::Tensor jvp(const ParamTensors& v) = 0;

  /// g = J' w, shaped like the parameters.
  virtual ParamTensors vjp(const at::Tensor& w) = 0;
};

/// The Hessian of the weighted loss sum at a point and a micro-batch; the graph of the gradient is kept.
class HessianLinearization {
 public:
  virtual ~HessianLinearization() = default;

  /// H v, shaped like the parameters.
  virtual ParamTensors hvp(const ParamTensors& v) = 0;
};

/// Linearises f at `theta` over `inputs` with LibTorch's autograd: vjp on a kept graph, jvp in forward mode.
/// All tensors of a direction have the type of `theta`, else jvp throws std::invalid_argument. Different
/// linearizations may be used by different threads at once. `network` outlives the result.
std::unique_ptr<Linearization> linearize(const Network& network, const ParamTensors& theta,
                                         const at::Tensor& inputs);

/// Linearises the gradient of sum_i w_i l(f(theta, x_i), y_i): reverse over reverse on one kept graph, the
/// layout that is exact for every operation used here. Directions and threads as in linearize().
std::unique_ptr<HessianLinearization> linearize_gradient(const Network& network, const Loss& loss,
                                                         const ParamTensors& theta, const at::Tensor& inputs,
                                                         const at::Tensor& targets,
                                                         const at::Tensor& weights);

}  // namespace ritzflow
