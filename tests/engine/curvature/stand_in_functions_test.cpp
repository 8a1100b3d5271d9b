// Functions and their derivatives on the stand-in device against those on the CPU.
#include <torch/csrc/autograd/autograd.h>

#include "model/autodiff/autograd.h"
#include "problems.h"
#include "stand_in_testing.h"

namespace ritzflow::curvature::test {
namespace {

using torch::autograd::grad;

struct Case {
  const char* name;
  std::function<at::Tensor(const at::Tensor&)> f;
};

/// Functions of a 4 x 6 matrix of positive and negative numbers; what else they need they make on its device.
std::vector<Case> functions() {
  const auto integers = [](const at::Tensor& x) { return x.options().dtype(at::kLong); };
  const auto like = [](const at::Tensor& x, at::IntArrayRef shape, double scale) {
    const int64_t n = c10::multiply_integers(shape);
    return at::arange(n, x.options()).mul(scale).sin().view(shape);
  };
  return {
      {"linear", [=](const auto& x) { return at::linear(x, like(x, {3, 6}, 1), like(x, {3}, 2)); }},
      {"linear of three dimensions",
       [=](const auto& x) { return at::linear(x.view({2, 2, 6}), like(x, {3, 6}, 1), like(x, {3}, 2)); }},
      {"mv", [=](const auto& x) { return x.mv(like(x, {6}, 1)); }},
      {"bmm", [](const auto& x) { return x.view({2, 2, 6}).bmm(x.view({2, 6, 2})); }},
      {"matmul", [](const auto& x) { return at::matmul(x.view({2, 1, 2, 6}), x.view({2, 6, 2})); }},
      {"einsum", [](const auto& x) { return at::einsum("ij,kj,ik->i", {x, x, x.mm(x.t())}); }},
      {"addmm", [=](const auto& x) { return at::addmm(like(x, {4, 4}, 1), x, x.t(), 0.5, 2); }},
      {"conv2d",
       [=](const auto& x) {
         return at::conv2d(x.view({1, 1, 4, 6}), like(x, {2, 1, 3, 3}, 1), like(x, {2}, 3), 1, 1);
       }},
      {"conv2d of the weight",
       [=](const auto& x) { return at::conv2d(like(x, {2, 6, 5, 5}, 1), x.view({4, 6, 1, 1})); }},
      {"max_pool2d", [](const auto& x) { return at::max_pool2d(x.view({1, 1, 4, 6}), 2); }},
      {"avg_pool2d", [](const auto& x) { return at::avg_pool2d(x.view({1, 1, 4, 6}), 2); }},
      {"adaptive_avg_pool2d",
       [](const auto& x) { return at::adaptive_avg_pool2d(x.view({1, 1, 4, 6}), {2, 2}); }},
      {"im2col",
       [](const auto& x) { return at::im2col(x.view({1, 1, 4, 6}), {3, 3}, {1, 1}, {1, 1}, {1, 1}); }},
      {"embedding", [=](const auto& x) { return at::embedding(x, at::arange(6, integers(x)).remainder(3)); }},
      {"layer_norm", [=](const auto& x) { return at::layer_norm(x, {6}, like(x, {6}, 1), like(x, {6}, 2)); }},
      {"group_norm",
       [=](const auto& x) { return at::group_norm(x.view({2, 4, 3}), 2, like(x, {4}, 1), like(x, {4}, 2)); }},
      {"batch_norm",
       [=](const auto& x) {
         return at::batch_norm(x, like(x, {6}, 1), like(x, {6}, 2), {}, {}, true, 0.1, 1e-5, false);
       }},
      {"gelu", [](const auto& x) { return at::gelu(x); }},
      {"relu", [](const auto& x) { return x.relu(); }},
      {"tanh", [](const auto& x) { return x.tanh(); }},
      {"softplus", [](const auto& x) { return at::softplus(x); }},
      {"silu", [](const auto& x) { return at::silu(x); }},
      {"sigmoid", [](const auto& x) { return x.sigmoid(); }},
      {"softmax", [](const auto& x) { return at::softmax(x, 1); }},
      {"log_softmax", [](const auto& x) { return at::log_softmax(x, 1); }},
      {"logsumexp", [](const auto& x) { return x.logsumexp(1); }},
      {"gather", [=](const auto& x) { return x.gather(1, at::arange(4, integers(x)).unsqueeze(1)); }},
      {"scatter", [=](const auto& x) { return x.scatter(1, at::arange(4, integers(x)).unsqueeze(1), 1.0); }},
      {"scatter_add",
       [=](const auto& x) {
         return x.scatter_add(1, at::arange(4, integers(x)).unsqueeze(1), x.narrow(1, 1, 1));
       }},
      {"index_add",
       [=](const auto& x) { return x.index_add(0, at::arange(4, integers(x)).remainder(2), x); }},
      {"index_select", [=](const auto& x) { return x.index_select(1, at::arange(4, integers(x))); }},
      {"index",
       [=](const auto& x) { return x.index({at::arange(4, integers(x)), at::arange(4, integers(x))}); }},
      {"index by a mask", [](const auto& x) { return x.index({x > 0}); }},
      {"index_put",
       [=](const auto& x) { return x.clone().index_put_({at::arange(2, integers(x))}, x[0] * x[1], true); }},
      {"masked_fill", [](const auto& x) { return x.masked_fill(x > 0, 3.0); }},
      {"masked_select", [](const auto& x) { return x.masked_select(x > 0); }},
      {"where", [](const auto& x) { return at::where(x.gt(0), x * x, -x); }},
      {"clamp", [](const auto& x) { return x.clamp(-0.5, 0.5); }},
      {"cat", [](const auto& x) { return at::cat({x.narrow(1, 0, 2), x.square()}, 1); }},
      {"stack", [](const auto& x) { return at::stack({x, x.exp()}); }},
      {"expand", [](const auto& x) { return x.unsqueeze(1).expand({4, 3, 6}).contiguous(); }},
      {"repeat_interleave",
       [=](const auto& x) { return x.repeat_interleave(at::arange(4, integers(x)), 0); }},
      {"flip", [](const auto& x) { return x.flip(0); }},
      {"triu", [](const auto& x) { return x.triu(1); }},
      {"cumsum", [](const auto& x) { return x.cumsum(1); }},
      {"sum", [](const auto& x) { return x.sum(); }},
      {"mean, var", [](const auto& x) { return x.mean(0) + x.var(0, true, false); }},
      {"norm", [](const auto& x) { return x.norm(2, 1); }},
      {"amax", [](const auto& x) { return x.amax(1); }},
      {"to another type", [](const auto& x) { return x.to(at::kFloat).square().to(at::kDouble); }},
      {"in place",
       [](const auto& x) {
         auto y = x.clone();
         y.mul_(x).add_(1).select(0, 1).copy_(x[0]);
         return y;
       }},
      {"solve", [](const auto& x) { return at::linalg_solve(x.mm(x.t()) + at::eye(4, x.options()), x); }},
      {"cholesky", [](const auto& x) { return at::linalg_cholesky(x.mm(x.t()) + at::eye(4, x.options())); }}};
}

/// f; the gradient of <f, w>; the gradients of <that, u>; the tangent of f along u, and that of the gradient
/// where there is one.
std::vector<at::Tensor> derivatives(const std::function<at::Tensor(const at::Tensor&)>& f,
                                    const at::Tensor& at) {
  const at::Tensor x = at.detach().requires_grad_();
  const at::Tensor y = f(x);
  const at::Tensor w = at::arange(y.numel(), at.options()).cos().view_as(y).requires_grad_();
  const at::Tensor g = grad({y}, {x}, {w}, true, true)[0];
  const at::Tensor u = at::arange(x.numel(), at.options()).mul(2).cos().view_as(x);
  std::vector<at::Tensor> all = grad({g}, {x, w}, {u}, true, false, true);
  all = {y, g, all[0].defined() ? all[0] : at::zeros_like(x), all[1]};
  const model::ExclusiveTangentScope scope;
  const at::Tensor dual = model::make_dual(x, u), z = f(dual);
  all.push_back(model::tangent_of(z));
  try {
    all.push_back(model::tangent_of(grad({z}, {dual}, {w}, true, true)[0]));
  } catch (const c10::NotImplementedError&) {
    all.emplace_back();  // LibTorch has no tangent of some gradients
  }
  return all;
}

// Not to the bit: autograd adds up the terms of a second derivative in an order that follows the numbers of
// their nodes, and each thread numbers those that it makes by itself; here the device's thread makes some.
TEST(StandInDevice, HasTheCpusFunctionsAndDerivatives) {
  const at::Tensor host = random_matrix(4, 6, 1);
  for (const auto& [name, f] : functions()) {
    const auto expected = derivatives(f, host), actual = derivatives(f, on_device(host));
    EXPECT_TRUE(same(actual[0], expected[0])) << name;
    for (size_t i = 1; i < expected.size(); ++i) {
      ASSERT_EQ(actual[i].defined(), expected[i].defined()) << name << ", result " << i;
      if (!expected[i].defined()) continue;
      EXPECT_EQ(actual[i].device(), stand_in_device()) << name << ", result " << i;
      EXPECT_TRUE(at::allclose(actual[i].cpu(), expected[i], 1e-13, 1e-13)) << name << ", result " << i;
    }
  }
}

}  // namespace
}  // namespace ritzflow::curvature::test
