#include "model/autodiff/linearization.h"

#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <gtest/gtest.h>
#include <tbb/parallel_for.h>

#include <functional>

#include "model/networks/activation.h"
#include "model_testing.h"

namespace ritzflow::model {
namespace {

using namespace test;
using nlohmann::json;

std::vector<json> architectures() {
  std::vector<json> list = {
      {{"kind", "mlp"}, {"hidden", json::array()}},
      {{"kind", "mlp"}, {"hidden", {3}}, {"bias", false}},
      {{"kind", "cnn"}, {"channels", json::array()}},
      {{"kind", "cnn"}, {"channels", {4, 4, 2}}, {"activation", "tanh"}},
      {{"kind", "cnn"}, {"channels", {4, 6}}, {"pooling", "none"}, {"norm", "group"}, {"groups", 2}},
  };
  for (const auto& activation : activation_names()) {
    list.push_back({{"kind", "mlp"}, {"hidden", {4, 3}}, {"activation", activation}});
    for (const auto* pooling : {"max", "avg"}) {
      list.push_back(
          {{"kind", "cnn"}, {"channels", {4, 6}}, {"pooling", pooling}, {"activation", activation}});
      list.push_back(list.back());
      list.back().update({{"norm", "group"}, {"groups", 2}});
    }
    for (const bool tied : {true, false}) {
      list.push_back({{"kind", "transformer"},
                      {"layers", 2},
                      {"heads", 2},
                      {"d_model", 4},
                      {"mlp_ratio", 2},
                      {"activation", activation},
                      {"tie_embeddings", tied}});
    }
  }
  return list;
}

constexpr HessianMode hessian_modes[] = {HessianMode::reverse_over_reverse, HessianMode::forward_over_reverse,
                                         HessianMode::reverse_over_forward};

std::vector<std::unique_ptr<Loss>> losses() {
  std::vector<std::unique_ptr<Loss>> list;
  list.push_back(make_loss("cross_entropy"));
  list.push_back(make_loss("mse"));
  list.push_back(make_loss("bce"));
  list.push_back(std::make_unique<CubicLoss>());
  return list;
}

/// One network with two directions; the tests visit all of them in one process, since a process that loads
/// LibTorch takes longer to start than to test.
struct Case {
  explicit Case(const json& architecture) : p(make_problem(architecture)) {}

  Problem p;
  at::Tensor v = random_normal("v", p.theta.sizes());
  at::Tensor u = random_normal("u", p.theta.sizes());

  LinearizedOutputs linearized(Lifetime lifetime = Lifetime::one_product) const {
    return {*p.network, p.tensors(p.theta), p.inputs, lifetime};
  }
  std::unique_ptr<HessianLinearization> hessian(const Loss& loss,
                                                HessianMode mode = HessianMode::reverse_over_reverse) const {
    return p.network->linearize_gradient(loss, p.tensors(p.theta), p.inputs, p.targets(loss), p.weights,
                                         mode);
  }
  at::Tensor hvp(const Loss& loss, HessianMode mode = HessianMode::reverse_over_reverse) const {
    return flatten(hessian(loss, mode)->hvp(p.tensors(v)));
  }
};

void for_every_network(const std::function<void(const Case&)>& claim) {
  for (const json& architecture : architectures()) {
    SCOPED_TRACE(architecture.dump());
    claim(Case(architecture));
  }
}

TEST(EveryNetwork, JvpEqualsFiniteDifferencesOfTheLogits) {
  for_every_network([](const Case& c) {
    const auto logits = [&](const at::Tensor& theta) {
      return c.p.network->forward(c.p.tensors(theta), c.p.inputs);
    };
    const at::Tensor expected = directional_derivative(logits, c.p.theta, c.v);
    for (const auto lifetime : {Lifetime::one_product, Lifetime::many_products}) {
      auto model = c.linearized(lifetime);
      EXPECT_LT(relative_error(jvp(model, c.p.tensors(c.v)), expected), 1e-8);
    }
  });
}

TEST(EveryNetwork, GradientEqualsFiniteDifferencesOfTheLoss) {
  for_every_network([](const Case& c) {
    for (const auto& loss : losses()) {
      const auto value = [&](const at::Tensor& theta) {
        return loss->value(c.p.network->forward(c.p.tensors(theta), c.p.inputs), c.p.targets(*loss),
                           c.p.weights);
      };
      const double expected = directional_derivative(value, c.p.theta, c.v).item<double>();
      const at::Tensor g = gradient_of(c.p, *loss, c.p.theta);
      EXPECT_NEAR(scalar_product(g, c.v), expected,
                  1e-8 * g.norm().item<double>() * c.v.norm().item<double>())
          << loss->name();
    }
  });
}

TEST(EveryNetwork, HessianProductEqualsFiniteDifferencesOfTheGradient) {
  for_every_network([](const Case& c) {
    for (const auto& loss : losses()) {
      const auto gradient = [&](const at::Tensor& theta) { return gradient_of(c.p, *loss, theta); };
      const at::Tensor expected = directional_derivative(gradient, c.p.theta, c.v);
      for (const auto mode : hessian_modes) {
        EXPECT_LT(relative_error(c.hvp(*loss, mode), expected), 1e-7)
            << loss->name() << " mode " << static_cast<int>(mode);
      }
    }
  });
}

TEST(EveryNetwork, HessianModesAgree) {
  for_every_network([](const Case& c) {
    for (const auto& loss : losses()) {
      const at::Tensor expected = c.hvp(*loss);
      for (const auto mode : hessian_modes) {
        EXPECT_LT(relative_error(c.hvp(*loss, mode), expected), 1e-12)
            << loss->name() << " mode " << static_cast<int>(mode);
      }
    }
  });
}

TEST(EveryNetwork, VjpIsTheAdjointOfJvp) {
  for_every_network([](const Case& c) {
    for (const auto lifetime : {Lifetime::one_product, Lifetime::many_products}) {
      auto model = c.linearized(lifetime);
      const at::Tensor jv = jvp(model, c.p.tensors(c.v));
      const at::Tensor w = random_normal("w", jv.sizes());
      const at::Tensor jw = vjp(model, w);
      EXPECT_NEAR(scalar_product(w, jv), scalar_product(jw, c.v),
                  1e-13 * jw.norm().item<double>() * c.v.norm().item<double>());
    }
  });
}

TEST(EveryNetwork, HessianIsSymmetric) {
  for_every_network([](const Case& c) {
    for (const auto& loss : losses()) {
      const auto h = c.hessian(*loss);
      const at::Tensor hu = flatten(h->hvp(c.p.tensors(c.u))), hv = flatten(h->hvp(c.p.tensors(c.v)));
      EXPECT_NEAR(scalar_product(c.u, hv), scalar_product(c.v, hu),
                  1e-13 * (1 + hv.norm().item<double>()) * c.u.norm().item<double>());
    }
  });
}

TEST(EveryNetwork, SecondCallOnTheKeptGraphGivesTheSameBits) {
  for_every_network([](const Case& c) {
    auto model = c.linearized(Lifetime::many_products);
    const auto loss = make_loss("cross_entropy");
    const auto h = c.hessian(*loss);
    const at::Tensor w = random_normal("w", {c.p.rows(), model.head().outputs()});
    EXPECT_TRUE(jvp(model, c.p.tensors(c.v)).equal(jvp(model, c.p.tensors(c.v))));
    EXPECT_TRUE(vjp(model, w).equal(vjp(model, w)));
    EXPECT_TRUE(flatten(h->hvp(c.p.tensors(c.v))).equal(flatten(h->hvp(c.p.tensors(c.v)))));
  });
}

TEST(EveryNetwork, MaskedRowsDoNotContribute) {
  for_every_network([](const Case& c) {
    const auto loss = make_loss("cross_entropy");
    at::Tensor other = c.p.labels.clone();
    other[-1] = 2;
    const auto h = c.p.network->linearize_gradient(*loss, c.p.tensors(c.p.theta), c.p.inputs, other,
                                                   c.p.weights, HessianMode::reverse_over_reverse);
    EXPECT_TRUE(flatten(h->hvp(c.p.tensors(c.v))).equal(c.hvp(*loss)));
  });
}

TEST(EveryNetwork, Float32AgreesWithFloat64) {
  for_every_network([](const Case& c) {
    const auto loss = make_loss("cross_entropy");
    const at::Tensor theta = c.p.theta.to(at::kFloat), v = c.v.to(at::kFloat);
    LinearizedOutputs model(*c.p.network, c.p.tensors(theta), c.p.inputs, Lifetime::many_products);
    auto reference = c.linearized();
    const auto h = c.p.network->linearize_gradient(*loss, c.p.tensors(theta), c.p.inputs, c.p.labels,
                                                   c.p.weights, HessianMode::reverse_over_reverse);
    const at::Tensor u = jvp(model, c.p.tensors(v));
    EXPECT_EQ(u.scalar_type(), at::kFloat);
    EXPECT_LT(relative_error(u, jvp(reference, c.p.tensors(c.v))), 1e-5);
    EXPECT_LT(relative_error(flatten(h->hvp(c.p.tensors(v))), c.hvp(*loss)), 1e-4);
  });
}

TEST(Linearization, ThreadsDoNotDisturbEachOthersTangents) {
  const Problem p = make_problem({{"kind", "transformer"}, {"layers", 2}, {"heads", 2}, {"d_model", 8}});
  const auto direction = [&](int i) { return random_normal("v" + std::to_string(i), p.theta.sizes()); };
  const auto product = [&](int i) {
    LinearizedOutputs model(*p.network, p.tensors(p.theta), p.inputs, Lifetime::one_product);
    return vjp(model, jvp(model, p.tensors(direction(i))));
  };
  std::vector<at::Tensor> parallel(40);
  tbb::parallel_for(0, 40, [&](int i) { parallel[static_cast<size_t>(i)] = product(i); });
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(parallel[static_cast<size_t>(i)].equal(product(i))) << i;
}

/// z = a x, with a parameter that the output does not depend on.
class HalfUsed : public Network {
 public:
  HalfUsed() {
    params_.add("a", {1});
    params_.add("unused", {2});
  }
  at::Tensor features(const ParamTensors& theta, const at::Tensor& x) const override { return theta[0] * x; }
  void initialize(uint64_t, VectorSpan) const override {}
};

TEST(Linearization, UntouchedParametersHaveZeroProducts) {
  const HalfUsed network;
  const at::Tensor x = at::tensor({2.0, 3.0}, at::kDouble).unsqueeze(1), ones = at::ones({2}, at::kDouble);
  const ParamTensors theta = network.params().blobs(at::ones({3}, at::kDouble));
  const at::Tensor expected = at::tensor({13.0, 0.0, 0.0}, at::kDouble);
  LinearizedOutputs model(network, theta, x, Lifetime::many_products);
  EXPECT_TRUE(vjp(model, x).equal(expected));
  EXPECT_TRUE(jvp(model, theta).equal(x));
  const auto loss = make_loss("mse");
  for (const auto mode : hessian_modes) {
    const auto h = network.linearize_gradient(*loss, theta, x, x, ones, mode);
    EXPECT_TRUE(flatten(h->hvp(theta)).equal(expected));
  }
}

/// l = sum z: its gradient does not depend on z.
class SumLoss : public CubicLoss {
 public:
  at::Tensor gradient(const at::Tensor& z, const at::Tensor&, const at::Tensor&) const override {
    return at::ones(z.sizes(), z.options());
  }
  at::Tensor curvature(const at::Tensor& z, const at::Tensor&, const at::Tensor&,
                       const at::Tensor&) const override {
    return at::zeros_like(z);
  }
};

TEST(Linearization, ConstantGradientHasZeroHessian) {
  const HalfUsed network;
  const at::Tensor x = at::ones({2, 1}, at::kDouble);
  const ParamTensors theta = network.params().blobs(at::ones({3}, at::kDouble));
  const SumLoss loss;
  for (const auto mode : hessian_modes) {
    const auto h = network.linearize_gradient(loss, theta, x, x, at::ones({2}, at::kDouble), mode);
    EXPECT_TRUE(flatten(h->hvp(theta)).equal(at::zeros({3}, at::kDouble)));
  }
}

TEST(Linearization, RefusesADirectionOfAnotherType) {
  const Problem p = make_problem({{"kind", "mlp"}, {"hidden", {3}}});
  const auto model = p.network->linearize(p.tensors(p.theta), p.inputs, Lifetime::one_product);
  EXPECT_THROW(model->jvp(p.tensors(p.theta.to(at::kFloat))), std::invalid_argument);
  EXPECT_THROW(model->jvp({}), std::invalid_argument);
}

TEST(Linearization, TangentsOfBlobsAreNotCopied) {
  const Problem p = make_problem({{"kind", "mlp"}, {"hidden", {3}}});
  const ParamTensors theta = p.tensors(p.theta);
  p.network->linearize(theta, p.inputs, Lifetime::one_product)->jvp(theta);  // enters the level of tangents
  const at::Tensor basis = at::ones({3, p.theta.numel()}, at::kDouble);
  const ParamTensors v = p.tensors(basis.select(0, 1));
  for (size_t i = 0; i < v.size(); ++i) {
    const at::Tensor dual = at::_make_dual(theta[i].detach(), v[i], 0);
    EXPECT_EQ(std::get<1>(at::_unpack_dual(dual, 0)).data_ptr(), v[i].data_ptr());
  }
}

}  // namespace
}  // namespace ritzflow::model
