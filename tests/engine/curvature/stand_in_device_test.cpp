#include "stand_in_device.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "curvature/batch_cache.h"
#include "model/autograd.h"
#include "problems.h"

namespace ritzflow::test {
namespace {

using torch::autograd::grad;

at::Tensor on_device(const at::Tensor& t) { return t.to(stand_in_device()); }

/// The same shape and bits, one on the device and one on the host.
::testing::AssertionResult same(const at::Tensor& device, const at::Tensor& host) {
  if (device.device() != stand_in_device()) return ::testing::AssertionFailure() << "not on the device";
  if (device.scalar_type() != host.scalar_type()) return ::testing::AssertionFailure() << "another type";
  return at::equal(device.cpu(), host) ? ::testing::AssertionSuccess()
                                       : ::testing::AssertionFailure() << device.cpu() << "\nis not\n"
                                                                       << host;
}

TEST(StandInDevice, IsOneDeviceUnderANameOfItsOwn) {
  EXPECT_EQ(stand_in_device().str(), "stand_in:0");
  EXPECT_EQ(at::empty({2}, stand_in_device()).device(), stand_in_device());
  EXPECT_EQ(at::empty({2}, c10::Device("stand_in")).device(), stand_in_device());
}

TEST(StandInDeviceDeathTest, DoesNotLetTheHostReadOrWriteItsMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const at::Tensor x = at::ones({3}, at::TensorOptions(stand_in_device()).dtype(at::kDouble));
  volatile double* const memory = x.data_ptr<double>();
  EXPECT_DEATH(static_cast<void>(memory[1]), "");
  EXPECT_DEATH(memory[1] = 2, "");
  EXPECT_DEATH(random_matrix(3, 1, 1).copy_(at::from_blob(x.data_ptr(), {3, 1}, at::kDouble)), "");
}

TEST(StandInDevice, HasNaNInFreshMemory) {
  const auto options = at::TensorOptions(stand_in_device()).dtype(at::kDouble);
  EXPECT_TRUE(at::empty({5}, options).isnan().all().item<bool>());
  EXPECT_TRUE(at::empty_strided({2, 2}, {1, 2}, options).isnan().all().item<bool>());
}

TEST(StandInDevice, RefusesTensorsOfTheHost) {
  const at::Tensor host = random_matrix(3, 3, 1), device = on_device(host);
  const at::Tensor index = at::arange(3), rows = at::zeros({3}, at::kDouble);
  const std::vector<std::pair<const char*, std::function<void()>>> calls = {
      {"add", [&] { device.add(host); }},
      {"add, the other way", [&] { host.add(device); }},
      {"add in place", [&] { host.clone().add_(device); }},
      {"mm", [&] { device.mm(host); }},
      {"mm, the other way", [&] { host.mm(device); }},
      {"mm into the host", [&] { at::mm_out(*std::make_unique<at::Tensor>(host.clone()), device, device); }},
      {"addmm", [&] { at::addmm(host, device, device); }},
      {"linear", [&] { at::linear(device, device, rows); }},
      {"cat", [&] { at::cat({device, host}); }},
      {"where", [&] { at::where(host > 0, device, device); }},
      {"gather", [&] { device.gather(1, index.unsqueeze(1)); }},
      {"scatter_add", [&] { device.scatter_add(1, index.unsqueeze(1), device); }},
      {"index_select", [&] { device.index_select(0, index); }},
      {"index_add_", [&] { device.clone().index_add_(0, index, device); }},
      {"embedding", [&] { at::embedding(device, index); }},
      {"layer_norm", [&] { at::layer_norm(device, {3}, rows, rows); }},
      {"sum into a number of the host",
       [&] {
         at::Tensor number = at::zeros({}, at::kDouble);
         at::sum_out(number, device, at::IntArrayRef{0, 1});
       }},
      {"convolution", [&] { at::conv1d(device.view({1, 3, 3}), host.view({3, 3, 1})); }}};
  for (const auto& [name, call] : calls) EXPECT_THROW(call(), c10::Error) << name;
}

TEST(StandInDevice, TakesNumbersOfTheHost) {
  const at::Tensor host = random_matrix(3, 3, 1), number = at::full({}, 2.5, at::kDouble);
  EXPECT_EQ(transfers_of([&] { on_device(host) * number; }), (Transfers{0, 1}));
  EXPECT_TRUE(same(on_device(host) * number, host * number));
  EXPECT_TRUE(same(number / on_device(host), number / host));
}

TEST(StandInDevice, GivesPinnedMemoryOfTheHost) {
  const at::Tensor pinned = at::empty({3, 3}, at::dtype(at::kDouble).pinned_memory(true));
  const at::Tensor host = random_matrix(3, 3, 1), device = on_device(host);
  EXPECT_EQ(transfers_of([&] { pinned.copy_(device, /*non_blocking=*/true); }), (Transfers{1, 0}));
  EXPECT_TRUE(at::equal(pinned, host));
}

TEST(StandInDevice, CountsCopies) {
  const at::Tensor host = random_matrix(3, 3, 1), device = on_device(host);
  EXPECT_EQ(transfers_of([&] { device.cpu(); }), (Transfers{1, 0}));
  EXPECT_EQ(transfers_of([&] { device.to(at::kCPU, at::kFloat); }), (Transfers{1, 0}));
  EXPECT_EQ(transfers_of([&] { host.clone().copy_(device.t()); }), (Transfers{1, 0}));
  EXPECT_EQ(transfers_of([&] { host.to(stand_in_device()); }), (Transfers{0, 1}));
  EXPECT_EQ(transfers_of([&] { device.clone().copy_(host); }), (Transfers{0, 1}));
  EXPECT_EQ(transfers_of([&] { device.clone().copy_(device.t()); }), Transfers{});
  EXPECT_EQ(transfers_of([&] { device.to(at::kFloat); }), Transfers{});
}

TEST(StandInDevice, CopiesBetweenTypesAndLayouts) {
  const at::Tensor host = random_matrix(3, 4, 1), device = on_device(host);
  EXPECT_TRUE(at::equal(device.t().cpu(), host.t()));
  EXPECT_TRUE(at::equal(device.to(at::kCPU, at::kFloat), host.to(at::kFloat)));
  EXPECT_TRUE(same(on_device(host.t().slice(0, 1)), host.t().slice(0, 1)));
  EXPECT_TRUE(same(device.clone().copy_(host[0]), host[0].expand({3, 4})));
}

TEST(StandInDevice, CountsWhatMakesTheHostWait) {
  const at::Tensor x = on_device(random_matrix(4, 4, 1));
  const at::Tensor mask = x > 0, counts = at::ones({4}, x.options().dtype(at::kLong));
  const std::vector<std::pair<const char*, std::function<void()>>> waiting = {
      {"item", [&] { x[0][0].item(); }},
      {"equal", [&] { at::equal(x, x); }},
      {"is_nonzero", [&] { x[0][0].is_nonzero(); }},
      {"nonzero", [&] { x.nonzero(); }},
      {"masked_select", [&] { x.masked_select(mask); }},
      {"mask as an index", [&] { x.index({mask}); }},
      {"assignment through a mask", [&] { x.clone().index_put_({mask}, x[0][0]); }},
      {"unique", [&] { at::_unique2(x); }},
      {"unique_consecutive", [&] { at::unique_consecutive(x); }},
      {"bincount", [&] { at::bincount(counts); }},
      {"repeat_interleave", [&] { x.repeat_interleave(counts, 0); }},
      {"masked_fill with a value on the device", [&] { x.masked_fill(mask, x[0][0]); }}};
  for (const auto& [name, call] : waiting) EXPECT_EQ(transfers_of(call), (Transfers{1, 0})) << name;
  const at::Tensor index = at::arange(4, counts.options());
  const std::vector<std::pair<const char*, std::function<void()>>> free = {
      {"index", [&] { x.index({index}); }},
      {"assignment through an index", [&] { x.clone().index_put_({index}, x); }},
      {"index_select", [&] { x.index_select(0, index); }},
      {"masked_fill", [&] { x.masked_fill(mask, 2); }},
      {"repeat_interleave of a known size", [&] { x.repeat_interleave(counts, 0, 4); }},
      {"where", [&] { at::where(mask, x, 0); }},
      {"sum", [&] { x.sum(); }},
      {"argmax", [&] { x.argmax(1); }}};
  for (const auto& [name, call] : free) EXPECT_EQ(transfers_of(call), Transfers{}) << name;
}

TEST(StandInDevice, ReportsItsMemoryAndNotThatOfItsKernels) {
  const at::Tensor x = on_device(random_matrix(100, 10, 1));
  at::Tensor y;
  const Allocation sum = allocation_of(stand_in_device(), [&] { y = x + x; });
  EXPECT_EQ(sum.kept, 8000);
  EXPECT_EQ(sum.peak, 8000);
  at::Tensor grown = at::empty({0}, x.options());
  EXPECT_EQ(allocation_of(stand_in_device(), [&] { at::add_out(grown, x, x); }).kept, 8000);
  const Allocation freed = allocation_of(stand_in_device(), [&] { y.reset(); });
  EXPECT_EQ(freed.kept, -8000);
  const Allocation index = allocation_of(stand_in_device(), [&] { x.cumsum(1); });
  EXPECT_EQ(index.kept, 0);
}

TEST(StandInDevice, HasViewsThatShareMemory) {
  const at::Tensor x = on_device(at::zeros({4, 6}, at::kDouble));
  const std::vector<std::pair<const char*, at::Tensor>> views = {{"view", x.view({2, 12})},
                                                                 {"reshape", x.reshape({24})},
                                                                 {"transpose", x.t()},
                                                                 {"slice", x.slice(1, 2, 4)},
                                                                 {"select", x.select(0, 3)},
                                                                 {"permute", x.permute({1, 0})},
                                                                 {"expand", x.unsqueeze(0).expand({2, 4, 6})},
                                                                 {"unfold", x.unfold(1, 2, 2)},
                                                                 {"as_strided", x.as_strided({2}, {7}, 1)},
                                                                 {"diagonal", x.diagonal()},
                                                                 {"detach", x.detach()},
                                                                 {"alias", at::alias(x)},
                                                                 {"split", x.split(2)[1]},
                                                                 {"unbind", x.unbind()[1]},
                                                                 {"narrow", x.narrow(0, 1, 2)}};
  for (const auto& [name, view] : views) {
    x.zero_();
    EXPECT_TRUE(view.is_alias_of(x)) << name;
    view.select(0, 0).fill_(1);
    EXPECT_GT(x.sum().item<double>(), 0) << name;
    EXPECT_TRUE(
        (x.as_strided(view.sizes(), view.strides(), view.storage_offset()) == view).all().item<bool>())
        << name;
  }
}

TEST(StandInDevice, ResizesOutputs) {
  const at::Tensor host = random_matrix(3, 4, 1), device = on_device(host);
  at::Tensor sum = at::empty({0}, device.options());
  at::add_out(sum, device, device);
  EXPECT_TRUE(same(sum, host + host));
  sum.resize_({0});
  at::mm_out(sum, device.t(), device);
  EXPECT_TRUE(same(sum, host.t().mm(host)));
  sum.resize_({2, 2});
  EXPECT_EQ(sum.sizes(), (at::IntArrayRef{2, 2}));
  sum.set_(device);
  EXPECT_TRUE(sum.is_alias_of(device));
  EXPECT_TRUE(same(sum, host));
}

TEST(StandInDevice, LetsGradientsPassBetweenDevices) {
  const at::Tensor x = random_matrix(3, 4, 1).requires_grad_();
  const auto f = [&](const at::Device& device) {
    const at::Tensor inside = x.to(device).tanh() * x.sum(0).exp().to(device);
    return (inside.to(at::kCPU) * x).sum() + inside.square().sum().cpu();
  };
  const auto twice = [&](const at::Device& device) {
    const at::Tensor g = grad({f(device)}, {x}, {}, true, true)[0];
    return grad({g.square().sum()}, {x})[0];
  };
  EXPECT_TRUE(at::allclose(twice(stand_in_device()), twice(at::kCPU), 1e-13, 1e-13));
}

TEST(StandInDevice, MakesAndComparesTensorsLikeTheCpu) {
  const std::vector<std::pair<const char*, std::function<at::Tensor(const at::TensorOptions&)>>> makers = {
      {"zeros", [](const auto& o) { return at::zeros({2, 3}, o); }},
      {"full", [](const auto& o) { return at::full({2, 3}, 1.5, o); }},
      {"arange", [](const auto& o) { return at::arange(2, 9, 3, o); }},
      {"linspace", [](const auto& o) { return at::linspace(0, 1, 5, o); }},
      {"eye", [](const auto& o) { return at::eye(3, o); }},
      {"scalar", [](const auto& o) { return at::scalar_tensor(3, o); }},
      {"one_hot", [](const auto& o) { return at::one_hot(at::arange(3, o.dtype(at::kLong)), 4); }},
      {"comparisons",
       [](const auto& o) {
         const at::Tensor x = at::arange(6, o);
         return at::cat({x.eq(2), x.gt(3), x.isfinite(), x.le(x.flip(0)).logical_not()});
       }},
      {"searchsorted",
       [](const auto& o) { return at::searchsorted(at::arange(6, o), at::linspace(0, 5, 4, o)); }},
      {"argmax", [](const auto& o) { return at::arange(6, o).sin().argmax(); }},
      {"sort", [](const auto& o) { return std::get<1>(at::arange(6, o).sin().sort()); }},
      {"topk", [](const auto& o) { return std::get<0>(at::arange(6, o).sin().topk(2)); }},
      {"eigenvalues", [](const auto& o) { return at::linalg_eigvalsh(at::arange(9, o).view({3, 3})); }},
      {"in bfloat16", [](const auto& o) { return at::arange(6, o).to(at::kBFloat16).exp().view({2, 3}); }}};
  const at::TensorOptions options = at::dtype(at::kDouble);
  for (const auto& [name, make] : makers) {
    EXPECT_TRUE(same(make(options.device(stand_in_device())), make(options))) << name;
  }
}

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
  const ExclusiveTangentScope scope;
  const at::Tensor dual = make_dual(x, u), z = f(dual);
  all.push_back(tangent_of(z));
  try {
    all.push_back(tangent_of(grad({z}, {dual}, {w}, true, true)[0]));
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
}  // namespace ritzflow::test
