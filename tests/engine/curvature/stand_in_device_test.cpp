#include "stand_in_device.h"

#include <torch/csrc/autograd/autograd.h>

#include "problem/batch_cache.h"
#include "problems.h"
#include "stand_in_testing.h"

namespace ritzflow::curvature::test {
namespace {

using torch::autograd::grad;

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
  const problem::Allocation sum = problem::allocation_of(stand_in_device(), [&] { y = x + x; });
  EXPECT_EQ(sum.kept, 8000);
  EXPECT_EQ(sum.peak, 8000);
  at::Tensor grown = at::empty({0}, x.options());
  EXPECT_EQ(problem::allocation_of(stand_in_device(), [&] { at::add_out(grown, x, x); }).kept, 8000);
  const problem::Allocation freed = problem::allocation_of(stand_in_device(), [&] { y.reset(); });
  EXPECT_EQ(freed.kept, -8000);
  const problem::Allocation index = problem::allocation_of(stand_in_device(), [&] { x.cumsum(1); });
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

}  // namespace
}  // namespace ritzflow::curvature::test
