#include "model/autodiff/autograd.h"

#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <stdexcept>

namespace ritzflow::model {
namespace {

namespace forward_ad = torch::autograd::forward_ad;

constexpr uint64_t dual_level = 0;  ///< the only one there is

/// Guards the level, which is entered at its first use and then never left but to be entered again.
std::shared_mutex& tangents() {
  static std::shared_mutex mutex;
  static const uint64_t entered = forward_ad::enter_dual_level();
  static_cast<void>(entered);
  return mutex;
}

}  // namespace

TangentScope::TangentScope() : lock_(tangents()) {}

ExclusiveTangentScope::ExclusiveTangentScope() : lock_(tangents()) {}

ExclusiveTangentScope::~ExclusiveTangentScope() {
  forward_ad::exit_dual_level(dual_level);
  forward_ad::enter_dual_level();
}

ParamTensors make_leaves(const ParamTensors& theta) {
  ParamTensors leaves;
  for (const at::Tensor& t : theta) leaves.push_back(t.detach().requires_grad_());
  return leaves;
}

void check_direction(const ParamTensors& theta, const ParamTensors& v) {
  bool fits = theta.size() == v.size();
  for (size_t i = 0; fits && i < v.size(); ++i) {
    fits = v[i].scalar_type() == theta[i].scalar_type() && v[i].sizes() == theta[i].sizes();
  }
  if (!fits) throw std::invalid_argument("linearization: a direction needs the types and shapes of theta");
}

ParamTensors zeros_where_undefined(ParamTensors gradients, const ParamTensors& theta) {
  for (size_t i = 0; i < theta.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(theta[i]);
  }
  return gradients;
}

ParamTensors pulled_back(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& cotangents,
                         const ParamTensors& theta) {
  std::vector<at::Tensor> attached, w;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) continue;
    attached.push_back(outputs[i]);
    w.push_back(cotangents[i]);
  }
  if (attached.empty()) return zeros_where_undefined(ParamTensors(theta.size()), theta);
  return zeros_where_undefined(torch::autograd::grad(attached, theta, w, /*retain_graph=*/true,
                                                     /*create_graph=*/false, /*allow_unused=*/true),
                               theta);
}

at::Tensor make_dual(const at::Tensor& x, const at::Tensor& v) { return at::_make_dual(x, v, dual_level); }

ParamTensors make_duals(const ParamTensors& x, const ParamTensors& v) {
  ParamTensors duals;
  for (size_t i = 0; i < x.size(); ++i) duals.push_back(make_dual(x[i], v[i]));
  return duals;
}

at::Tensor tangent_of(const at::Tensor& x) {
  const at::Tensor tangent = std::get<1>(at::_unpack_dual(x, dual_level));
  return tangent.defined() ? tangent : at::zeros_like(x);
}

bool has_tangent_and_graph(const at::Tensor& x) {
  return x.requires_grad() && x._fw_grad(/*level=*/0).defined();
}

}  // namespace ritzflow::model
