#include "model/autodiff/network.h"

#include "model/autodiff/layers.h"
#include "model/autodiff/linearization.h"

namespace ritzflow::model {
at::Tensor Network::forward(const ParamTensors& theta, const at::Tensor& inputs) const {
  const at::Tensor h = features(theta, inputs);
  const auto layer = output_layer();
  return layer ? linear(*layer, theta, h) : h;
}

std::unique_ptr<Linearization> Network::linearize(const ParamTensors& theta, const at::Tensor& inputs,
                                                  Lifetime lifetime) const {
  return linearize_by_autograd(*this, theta, inputs, lifetime);
}

std::unique_ptr<HessianLinearization> Network::linearize_gradient(const Loss& loss, const ParamTensors& theta,
                                                                  const at::Tensor& inputs,
                                                                  const at::Tensor& targets,
                                                                  const at::Tensor& weights,
                                                                  HessianMode mode) const {
  return linearize_gradient_by_autograd(*this, loss, theta, inputs, targets, weights, mode);
}

at::Tensor Network::forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs, Taps&) const {
  return forward(theta, inputs);
}

}  // namespace ritzflow::model
