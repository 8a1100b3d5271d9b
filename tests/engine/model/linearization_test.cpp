#include "model/linearization.h"

#include <ATen/ops/_make_dual.h>
#include <ATen/ops/_unpack_dual.h>
#include <gtest/gtest.h>
#include <tbb/parallel_for.h>

#include <functional>

#include "model/activation.h"
#include "model_testing.h"

namespace ritzflow {
namespace {

using namespace testing;
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

std::vector<std::unique_ptr<Loss>> losses() {
  std::vector<std::unique_ptr<Loss>> list;
  list.push_back(make_loss("cross_entropy"));
  list.push_back(make_loss("mse"));
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

  std::unique_ptr<Linearization> linearized() const {
    return linearize(*p.network, p.tensors(p.theta), p.inputs);
  }
  std::unique_ptr<HessianLinearization> hessian(const Loss& loss) const {
    return linearize_gradient(*p.network, loss, p.tensors(p.theta), p.inputs, p.targets(loss), p.weights);
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
    EXPECT_LT(relative_error(c.linearized()->jvp(c.p.tensors(c.v)), expected), 1e-8);
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
      const at::Tensor g = loss_gradient(c.p, *loss, c.p.theta);
      EXPECT_NEAR(scalar_product(g, c.v), expected,
                  1e-8 * g.norm().item<double>() * c.v.norm().item<double>())
          << loss->name();
    }
  });
}

TEST(EveryNetwork, HessianProductEqualsFiniteDifferencesOfTheGradient) {
  for_every_network([](const Case& c) {
    for (const auto& loss : losses()) {
      const auto gradient = [&](const at::Tensor& theta) { return loss_gradient(c.p, *loss, theta); };
      const at::Tensor expected = directional_derivative(gradient, c.p.theta, c.v);
      EXPECT_LT(relative_error(flatten(c.hessian(*loss)->hvp(c.p.tensors(c.v))), expected), 1e-7)
          << loss->name();
    }
  });
}

TEST(EveryNetwork, VjpIsTheAdjointOfJvp) {
  for_every_network([](const Case& c) {
    const auto model = c.linearized();
    const at::Tensor w = random_normal("w", model->logits().sizes());
    const at::Tensor jv = model->jvp(c.p.tensors(c.v));
    const at::Tensor jw = flatten(model->vjp(w));
    EXPECT_NEAR(scalar_product(w, jv), scalar_product(jw, c.v),
                1e-13 * jw.norm().item<double>() * c.v.norm().item<double>());
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
    const auto model = c.linearized();
    const auto h = c.hessian(*make_loss("cross_entropy"));
    const at::Tensor w = random_normal("w", model->logits().sizes());
    EXPECT_TRUE(model->jvp(c.p.tensors(c.v)).equal(model->jvp(c.p.tensors(c.v))));
    EXPECT_TRUE(flatten(model->vjp(w)).equal(flatten(model->vjp(w))));
    EXPECT_TRUE(flatten(h->hvp(c.p.tensors(c.v))).equal(flatten(h->hvp(c.p.tensors(c.v)))));
  });
}

TEST(EveryNetwork, MaskedRowsDoNotContribute) {
  for_every_network([](const Case& c) {
    const auto loss = make_loss("cross_entropy");
    at::Tensor other = c.p.labels.clone();
    other[-1] = 2;
    const auto h =
        linearize_gradient(*c.p.network, *loss, c.p.tensors(c.p.theta), c.p.inputs, other, c.p.weights);
    EXPECT_TRUE(flatten(h->hvp(c.p.tensors(c.v))).equal(flatten(c.hessian(*loss)->hvp(c.p.tensors(c.v)))));
  });
}

TEST(EveryNetwork, Float32AgreesWithFloat64) {
  for_every_network([](const Case& c) {
    const auto loss = make_loss("cross_entropy");
    const at::Tensor theta = c.p.theta.to(at::kFloat), v = c.v.to(at::kFloat);
    const auto model = linearize(*c.p.network, c.p.tensors(theta), c.p.inputs);
    const auto h =
        linearize_gradient(*c.p.network, *loss, c.p.tensors(theta), c.p.inputs, c.p.labels, c.p.weights);
    EXPECT_EQ(model->logits().scalar_type(), at::kFloat);
    EXPECT_LT(relative_error(model->jvp(c.p.tensors(v)), c.linearized()->jvp(c.p.tensors(c.v))), 1e-5);
    EXPECT_LT(
        relative_error(flatten(h->hvp(c.p.tensors(v))), flatten(c.hessian(*loss)->hvp(c.p.tensors(c.v)))),
        1e-4);
  });
}

TEST(Linearization, ThreadsDoNotDisturbEachOthersTangents) {
  const Problem p = make_problem({{"kind", "transformer"}, {"layers", 2}, {"heads", 2}, {"d_model", 8}});
  const auto direction = [&](int i) { return random_normal("v" + std::to_string(i), p.theta.sizes()); };
  const auto product = [&](int i) {
    const auto model = linearize(*p.network, p.tensors(p.theta), p.inputs);
    return flatten(model->vjp(model->jvp(p.tensors(direction(i)))));
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
  at::Tensor forward(const ParamTensors& theta, const at::Tensor& x) const override { return theta[0] * x; }
  void initialize(uint64_t, VectorSpan) const override {}
};

TEST(Linearization, UntouchedParametersHaveZeroProducts) {
  const HalfUsed network;
  const at::Tensor x = at::tensor({2.0, 3.0}, at::kDouble).unsqueeze(1), ones = at::ones({2}, at::kDouble);
  const ParamTensors theta = network.params().blobs(at::ones({3}, at::kDouble));
  const auto model = linearize(network, theta, x);
  const auto h = linearize_gradient(network, *make_loss("mse"), theta, x, x, ones);
  EXPECT_TRUE(flatten(model->vjp(x)).equal(at::tensor({13.0, 0.0, 0.0}, at::kDouble)));
  EXPECT_TRUE(flatten(h->hvp(theta)).equal(at::tensor({13.0, 0.0, 0.0}, at::kDouble)));
}

/// l = sum z: its gradient does not depend on z.
class SumLoss : public CubicLoss {
 public:
  at::Tensor gradient(const at::Tensor& z, const at::Tensor&, const at::Tensor&) const override {
    return at::ones(z.sizes(), z.options());
  }
};

TEST(Linearization, ConstantGradientHasZeroHessian) {
  const HalfUsed network;
  const at::Tensor x = at::ones({2, 1}, at::kDouble);
  const ParamTensors theta = network.params().blobs(at::ones({3}, at::kDouble));
  const auto h = linearize_gradient(network, SumLoss(), theta, x, x, at::ones({2}, at::kDouble));
  EXPECT_TRUE(flatten(h->hvp(theta)).equal(at::zeros({3}, at::kDouble)));
}

TEST(Linearization, RefusesADirectionOfAnotherType) {
  const Problem p = make_problem({{"kind", "mlp"}, {"hidden", {3}}});
  const auto model = linearize(*p.network, p.tensors(p.theta), p.inputs);
  EXPECT_THROW(model->jvp(p.tensors(p.theta.to(at::kFloat))), std::invalid_argument);
  EXPECT_THROW(model->jvp({}), std::invalid_argument);
}

TEST(Linearization, TangentsOfBlobsAreNotCopied) {
  const Problem p = make_problem({{"kind", "mlp"}, {"hidden", {3}}});
  const ParamTensors theta = p.tensors(p.theta);
  linearize(*p.network, theta, p.inputs)->jvp(theta);  // enters the level of forward-mode AD
  const at::Tensor basis = at::ones({3, p.theta.numel()}, at::kDouble);
  const ParamTensors v = p.tensors(basis.select(0, 1));
  for (size_t i = 0; i < v.size(); ++i) {
    const at::Tensor dual = at::_make_dual(theta[i].detach(), v[i], 0);
    EXPECT_EQ(std::get<1>(at::_unpack_dual(dual, 0)).data_ptr(), v[i].data_ptr());
  }
}

}  // namespace
}  // namespace ritzflow
