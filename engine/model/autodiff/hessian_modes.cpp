#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <stdexcept>

#include "model/autodiff/autograd.h"
#include "model/autodiff/linearization.h"

namespace ritzflow::model {
namespace {

using torch::autograd::grad;
using torch::autograd::variable_list;

/// The loss of a micro-batch as a function of the output layer's arguments.
struct HeadLoss {
  Head head;
  RowVector r;  ///< gradient and
  RowMap b;     ///< Hessian on the logits

  HeadTensors gradient() const { return head.pull_back(r); }
  HeadTensors hessian(const HeadTensors& direction) const { return head.hessian(direction, r, b); }
};

/// Graph node of the loss' gradient (g_h, g_W, g_b): its transposed derivative is the derivative itself, for
/// the Hessian of the loss in (h, W, b) is symmetric.
class HeadGradientBackward : public torch::autograd::Node {
 public:
  HeadGradientBackward(HeadLoss loss, HeadTensors at) : loss_(std::move(loss)), at_(std::move(at)) {}

  variable_list apply(variable_list&& direction) override {
    const at::AutoGradMode no_grad(false);
    const auto filled = [&](size_t i, const at::Tensor& like) {
      if (!like.defined() || direction[i].defined()) return like.defined() ? direction[i] : at::Tensor();
      return at::zeros_like(like);
    };
    HeadTensors v{filled(0, at_.features), {}, {}};
    if (at_.weight.defined()) v.weight = filled(1, at_.weight);
    if (at_.bias.defined()) v.bias = filled(2, at_.bias);
    const HeadTensors product = loss_.hessian(v);
    variable_list all = {product.features};
    if (at_.weight.defined()) all.push_back(product.weight);
    if (at_.bias.defined()) all.push_back(product.bias);
    return all;
  }

 private:
  HeadLoss loss_;
  HeadTensors at_;
};

/// What all layouts share: the point, and the loss of the features.
class AutogradHessian : public HessianLinearization {
 public:
  AutogradHessian(const Network& network, const Loss& loss, const ParamTensors& theta,
                  const at::Tensor& inputs, const at::Tensor& targets, const at::Tensor& weights)
      : network_(network),
        inputs_(inputs),
        layer_(network.output_layer()),
        leaves_(make_leaves(theta)),
        r_(loss_gradient(loss, targets, weights)),
        b_(loss_curvature(loss, targets, weights)) {}

 protected:
  HeadLoss head_loss(const at::Tensor& features) const { return {Head(features, layer_, leaves_), r_, b_}; }

  const Network& network_;
  at::Tensor inputs_;
  std::optional<Layer> layer_;
  ParamTensors leaves_;
  RowVector r_;
  RowMap b_;
};

class ReverseOverReverse : public AutogradHessian {
 public:
  template <class... Args>
  explicit ReverseOverReverse(Args&&... args) : AutogradHessian(std::forward<Args>(args)...) {
    const at::AutoGradMode grad_mode(true);
    const at::Tensor h = network_.features(leaves_, inputs_);
    const HeadTensors g = gradient_with_graph(h);
    ParamTensors all(leaves_.size());
    if (h.requires_grad()) {
      all = grad({h}, leaves_, {g.features}, /*retain_graph=*/true, /*create_graph=*/true,
                 /*allow_unused=*/true);
    }
    const auto add = [](at::Tensor& sum, const at::Tensor& part) { sum = sum.defined() ? sum + part : part; };
    if (layer_) add(all[layer_->weight], g.weight);
    if (layer_ && layer_->bias) add(all[*layer_->bias], g.bias);
    for (size_t i = 0; i < all.size(); ++i) {
      if (!all[i].defined() || !all[i].requires_grad()) continue;
      gradients_.push_back(all[i]);
      varying_.push_back(i);
    }
  }

  ParamTensors hvp(const ParamTensors& v) override {
    check_direction(leaves_, v);
    ParamTensors cotangents;
    for (const size_t i : varying_) cotangents.push_back(v[i]);
    return pulled_back(gradients_, cotangents, leaves_);
  }

 private:
  HeadTensors gradient_with_graph(const at::Tensor& h) const {
    const HeadLoss loss = head_loss(h);
    HeadTensors g = loss.gradient();
    HeadTensors at{h, {}, {}};
    std::vector<at::Tensor*> outputs = {&g.features};
    auto edges = torch::autograd::collect_next_edges(h);
    const auto depend_on = [&](size_t parameter, at::Tensor& argument, at::Tensor& gradient) {
      argument = leaves_[parameter];
      edges.push_back(torch::autograd::impl::gradient_edge(argument));
      outputs.push_back(&gradient);
    };
    if (layer_) depend_on(layer_->weight, at.weight, g.weight);
    if (layer_ && layer_->bias) depend_on(*layer_->bias, at.bias, g.bias);
    for (at::Tensor* t : {&at.features, &at.weight, &at.bias}) {
      if (t->defined()) *t = t->detach();
    }
    const auto node = c10::make_intrusive<HeadGradientBackward>(loss, at);
    node->set_next_edges(std::move(edges));
    for (at::Tensor* output : outputs) torch::autograd::set_history(*output, node);
    return g;
  }

  ParamTensors gradients_;       ///< those that depend on theta, with their graph
  std::vector<size_t> varying_;  ///< and the parameters they belong to
};

/// The two layouts that push v forward through the features h first, and then take
/// H v = d/dtheta <g_h, dh> with dh = J v, by one of two ways; the output layer's own part is in closed form.
class ForwardFirst : public AutogradHessian {
 public:
  using AutogradHessian::AutogradHessian;

  ParamTensors hvp(const ParamTensors& v) override {
    check_direction(leaves_, v);
    const at::AutoGradMode grad_mode(true);
    const ExclusiveTangentScope scope;
    const ParamTensors duals = make_duals(leaves_, v);
    const at::Tensor h = network_.features(duals, inputs_);
    const auto [gradient, second] = behind_features(h, tangent_of(h).detach(), v);
    ParamTensors product = pull_back(duals, h, gradient.features, second.features);
    add_head_gradient(layer_, second, product);
    return product;
  }

 protected:
  /// Of the features' part, with the loss' gradient g_h and its change along v.
  virtual ParamTensors pull_back(const ParamTensors& duals, const at::Tensor& h, const at::Tensor& gradient,
                                 const at::Tensor& change) const = 0;

 private:
  std::pair<HeadTensors, HeadTensors> behind_features(const at::Tensor& h, const at::Tensor& dh,
                                                      const ParamTensors& v) const {
    const c10::AutoFwGradMode no_tangents(false);
    const HeadLoss loss = head_loss(h);
    return {loss.gradient(), loss.hessian(head_direction(layer_, dh, v))};
  }
};

class ForwardOverReverse : public ForwardFirst {
 public:
  using ForwardFirst::ForwardFirst;

 protected:
  ParamTensors pull_back(const ParamTensors& duals, const at::Tensor& h, const at::Tensor& gradient,
                         const at::Tensor& change) const override {
    ParamTensors product(leaves_.size());
    if (h.requires_grad()) {
      // With a graph, though none is needed: some kernels' backward is differentiable only then.
      product = grad({h}, duals, {make_dual(gradient, change)}, /*retain_graph=*/true, /*create_graph=*/true,
                     /*allow_unused=*/true);
    }
    for (at::Tensor& p : product) {
      if (p.defined()) p = tangent_of(p).detach().clone();
    }
    return zeros_where_undefined(std::move(product), leaves_);
  }
};

class ReverseOverForward : public ForwardFirst {
 public:
  using ForwardFirst::ForwardFirst;

 protected:
  ParamTensors pull_back(const ParamTensors&, const at::Tensor& h, const at::Tensor& gradient,
                         const at::Tensor& change) const override {
    const at::Tensor dh = tangent_of(h);
    const c10::AutoFwGradMode no_tangents(false);
    return pulled_back({h, dh}, {change, gradient}, leaves_);
  }
};

}  // namespace

std::unique_ptr<HessianLinearization> linearize_gradient_by_autograd(
    const Network& network, const Loss& loss, const ParamTensors& theta, const at::Tensor& inputs,
    const at::Tensor& targets, const at::Tensor& weights, HessianMode mode) {
  switch (mode) {
    case HessianMode::forward_over_reverse:
      return std::make_unique<ForwardOverReverse>(network, loss, theta, inputs, targets, weights);
    case HessianMode::reverse_over_forward:
      return std::make_unique<ReverseOverForward>(network, loss, theta, inputs, targets, weights);
    case HessianMode::reverse_over_reverse:
      break;
  }
  return std::make_unique<ReverseOverReverse>(network, loss, theta, inputs, targets, weights);
}

}  // namespace ritzflow::model
