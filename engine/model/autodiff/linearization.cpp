#include "model/autodiff/linearization.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/autodiff/autograd.h"

namespace ritzflow::model {
namespace {

class AutogradLinearization : public Linearization {
 public:
  AutogradLinearization(const Network& network, const ParamTensors& theta, const at::Tensor& inputs,
                        Lifetime lifetime)
      : network_(network), inputs_(inputs), leaves_(make_leaves(theta)) {
    const at::AutoGradMode grad_mode(true);
    output_ = network.features(leaves_, inputs);
    features_ = output_.detach();
    if (lifetime == Lifetime::many_products) keep_transpose();
  }

  const at::Tensor& features() const override { return features_; }

  at::Tensor jvp(const ParamTensors& v) override {
    check_direction(leaves_, v);
    return cotangent_.defined() ? transposed_twice(v) : forward_mode(v);
  }

  ParamTensors vjp(const at::Tensor& w) override { return pulled_back({output_}, {w}, leaves_); }

 private:
  /// w -> J'w with its graph, at w = 0.
  void keep_transpose() {
    if (!output_.requires_grad()) return;
    cotangent_ = at::zeros_like(features_).requires_grad_();
    const ParamTensors all = torch::autograd::grad({output_}, leaves_, {cotangent_}, /*retain_graph=*/true,
                                                   /*create_graph=*/true, /*allow_unused=*/true);
    for (size_t i = 0; i < all.size(); ++i) {
      if (!all[i].defined() || !all[i].requires_grad()) continue;
      transpose_.push_back(all[i]);
      touched_.push_back(i);
    }
  }

  at::Tensor transposed_twice(const ParamTensors& v) const {
    ParamTensors touched;
    for (const size_t i : touched_) touched.push_back(v[i]);
    return pulled_back(transpose_, touched, {cotangent_})[0];
  }

  at::Tensor forward_mode(const ParamTensors& v) const {
    const at::AutoGradMode no_grad(false);
    const TangentScope scope;
    ParamTensors points;
    for (const at::Tensor& leaf : leaves_) points.push_back(leaf.detach());
    return tangent_of(network_.features(make_duals(points, v), inputs_));
  }

  const Network& network_;
  at::Tensor inputs_;
  ParamTensors leaves_;
  at::Tensor output_, features_;
  at::Tensor cotangent_;         ///< w, and after it
  ParamTensors transpose_;       ///< the parts of J'w that depend on it
  std::vector<size_t> touched_;  ///< and the parameters that they belong to
};

}  // namespace

LinearizedOutputs::LinearizedOutputs(const Network& network, const ParamTensors& theta,
                                     const at::Tensor& inputs, Lifetime lifetime)
    : layer_(network.output_layer()),
      features_(network.linearize(theta, inputs, lifetime)),
      head_(features_->features(), layer_, theta) {}

HeadTensors LinearizedOutputs::direction(const ParamTensors& v) {
  return head_direction(layer_, features_->jvp(v), v);
}

ParamTensors LinearizedOutputs::through_features(const HeadTensors& g) {
  ParamTensors sum = features_->vjp(g.features);
  add_head_gradient(layer_, g, sum);
  return sum;
}

void LinearizedOutputs::jvp(
    const ParamTensors& v,
    const std::function<void(const RowBlock&, const at::Tensor&, const at::Tensor&)>& use) {
  head_.for_each_block(direction(v), use);
}

ParamTensors LinearizedOutputs::vjp(const RowVector& w) { return through_features(head_.pull_back(w)); }

ParamTensors LinearizedOutputs::gauss_newton(const ParamTensors& v, const RowMap& b) {
  return through_features(head_.gauss_newton(direction(v), b));
}

RowVector loss_gradient(const Loss& loss, const at::Tensor& targets, const at::Tensor& weights) {
  return [&loss, targets, weights](const RowBlock& rows, const at::Tensor& z) {
    return loss.gradient(z, rows.of(targets), rows.of(weights));
  };
}

RowMap loss_curvature(const Loss& loss, const at::Tensor& targets, const at::Tensor& weights) {
  return [&loss, targets, weights](const RowBlock& rows, const at::Tensor& z, const at::Tensor& u) {
    return loss.curvature(z, rows.of(targets), rows.of(weights), u);
  };
}

std::unique_ptr<Linearization> linearize_by_autograd(const Network& network, const ParamTensors& theta,
                                                     const at::Tensor& inputs, Lifetime lifetime) {
  return std::make_unique<AutogradLinearization>(network, theta, inputs, lifetime);
}

}  // namespace ritzflow::model
