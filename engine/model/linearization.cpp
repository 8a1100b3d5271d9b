#include "model/linearization.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <stdexcept>

namespace ritzflow {
namespace {

using torch::autograd::grad;

ParamTensors make_leaves(const ParamTensors& theta) {
  ParamTensors leaves;
  for (const at::Tensor& t : theta) leaves.push_back(t.detach().requires_grad_());
  return leaves;
}

/// LibTorch computes silently wrong tangents where the types differ.
void check_direction(const ParamTensors& theta, const ParamTensors& v) {
  bool fits = theta.size() == v.size();
  for (size_t i = 0; fits && i < v.size(); ++i) {
    fits = v[i].scalar_type() == theta[i].scalar_type() && v[i].sizes() == theta[i].sizes();
  }
  if (!fits) throw std::invalid_argument("linearization: a direction needs the types and shapes of theta");
}

/// Parameters that the batch does not touch have no gradient: zero.
ParamTensors zeros_where_undefined(ParamTensors gradients, const ParamTensors& theta) {
  for (size_t i = 0; i < theta.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(theta[i]);
  }
  return gradients;
}

/// The one level of forward-mode AD that LibTorch has is shared by all threads of the process; entered once
/// and never left, so that no thread can take the tangents of another away. Tensors without a tangent cost
/// nothing.
uint64_t dual_level() {
  static const uint64_t level = torch::autograd::forward_ad::enter_dual_level();
  return level;
}

class AutogradLinearization : public Linearization {
 public:
  AutogradLinearization(const Network& network, const ParamTensors& theta, const at::Tensor& inputs)
      : network_(network), inputs_(inputs), leaves_(make_leaves(theta)) {
    const at::AutoGradMode grad_mode(true);
    output_ = network.forward(leaves_, inputs);
    logits_ = output_.detach();
  }

  const at::Tensor& logits() const override { return logits_; }

  at::Tensor jvp(const ParamTensors& v) override {
    check_direction(leaves_, v);
    const at::AutoGradMode grad_mode(false);
    ParamTensors duals;
    for (size_t i = 0; i < v.size(); ++i) {
      duals.push_back(at::_make_dual(leaves_[i].detach(), v[i], static_cast<int64_t>(dual_level())));
    }
    const at::Tensor z = network_.forward(duals, inputs_);
    const at::Tensor tangent = std::get<1>(at::_unpack_dual(z, static_cast<int64_t>(dual_level())));
    return tangent.defined() ? tangent : at::zeros_like(logits_);
  }

  ParamTensors vjp(const at::Tensor& w) override {
    return zeros_where_undefined(
        grad({output_}, leaves_, {w}, /*retain_graph=*/true, /*create_graph=*/false, /*allow_unused=*/true),
        leaves_);
  }

 private:
  const Network& network_;
  at::Tensor inputs_;
  ParamTensors leaves_;
  at::Tensor output_, logits_;
};

class ReverseOverReverse : public HessianLinearization {
 public:
  ReverseOverReverse(const Network& network, const Loss& loss, const ParamTensors& theta,
                     const at::Tensor& inputs, const at::Tensor& targets, const at::Tensor& weights)
      : leaves_(make_leaves(theta)) {
    const at::AutoGradMode grad_mode(true);
    const at::Tensor z = network.forward(leaves_, inputs);
    // grad L = J' r: starting at the logits with r in closed form, no loss is differentiated twice.
    const at::Tensor r = loss.gradient(z, targets, weights);
    const ParamTensors gradients =
        grad({z}, leaves_, {r}, /*retain_graph=*/true, /*create_graph=*/true, /*allow_unused=*/true);
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (gradients[i].defined() && gradients[i].requires_grad()) {
        gradients_.push_back(gradients[i]);
        varying_.push_back(i);
      }
    }
  }

  ParamTensors hvp(const ParamTensors& v) override {
    check_direction(leaves_, v);
    if (gradients_.empty()) return zeros_where_undefined(ParamTensors(leaves_.size()), leaves_);
    ParamTensors cotangents;
    for (const size_t i : varying_) cotangents.push_back(v[i]);
    return zeros_where_undefined(grad(gradients_, leaves_, cotangents, /*retain_graph=*/true,
                                      /*create_graph=*/false, /*allow_unused=*/true),
                                 leaves_);
  }

 private:
  ParamTensors leaves_;
  ParamTensors gradients_;       ///< those that depend on theta, with their graph
  std::vector<size_t> varying_;  ///< and the parameters they belong to
};

}  // namespace

std::unique_ptr<Linearization> linearize(const Network& network, const ParamTensors& theta,
                                         const at::Tensor& inputs) {
  return std::make_unique<AutogradLinearization>(network, theta, inputs);
}

std::unique_ptr<HessianLinearization> linearize_gradient(const Network& network, const Loss& loss,
                                                         const ParamTensors& theta, const at::Tensor& inputs,
                                                         const at::Tensor& targets,
                                                         const at::Tensor& weights) {
  return std::make_unique<ReverseOverReverse>(network, loss, theta, inputs, targets, weights);
}

}  // namespace ritzflow
