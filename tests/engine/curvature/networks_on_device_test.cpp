// The built-in networks on the stand-in device: what the linearizations ask of a GPU.
#include <gtest/gtest.h>

#include "model/autodiff/linearization.h"
#include "model/autodiff/low_precision.h"
#include "model/networks/networks.h"
#include "problems.h"
#include "stand_in_device.h"

namespace ritzflow::curvature::test {
namespace {

struct Problem {
  std::shared_ptr<const model::Network> network;
  std::unique_ptr<model::Loss> loss;
  at::Tensor theta, v, inputs, targets, weights;  ///< theta and v [n]

  Problem(const nlohmann::json& architecture, const model::DataShape& shape, const std::string& loss_name,
          at::Tensor x)
      : network(model::make_network(architecture, shape)),
        loss(model::make_loss(loss_name)),
        inputs(std::move(x)) {
    const int64_t rows = inputs.size(0) * (shape.tokens ? inputs.size(1) : 1), n = network->params().size();
    theta = random_matrix(n, 1, 3).reshape({-1}) * 0.5;
    v = random_matrix(n, 1, 4).reshape({-1});
    targets = loss_name == "cross_entropy" ? random_labels(rows, shape.outputs, 5)
                                           : random_matrix(rows, shape.outputs, 5).sigmoid();
    weights = random_matrix(rows, 1, 6).reshape({-1}).abs();
    weights[1] = 0;
    targets[1] = -100;
  }

  /// bfloat16 is of the features, the rest in float32.
  void compute_in(at::ScalarType dtype) {
    if (dtype == at::kBFloat16) network = model::in_bfloat16(network);
    for (at::Tensor* t : {&theta, &v, &inputs, &weights}) {
      if (t->is_floating_point()) *t = t->to(dtype == at::kDouble ? at::kDouble : at::kFloat);
    }
  }
  void move_to(const at::Device& device) {
    for (at::Tensor* t : {&theta, &v, &inputs, &targets, &weights}) *t = t->to(device);
  }
  model::ParamTensors blobs(const at::Tensor& flat) const { return network->params().blobs(flat); }
};

std::map<std::string, std::function<Problem()>> problems() {
  const model::DataShape vector = {{4}, 3, false}, image = {{2, 6, 6}, 3, false}, text = {{5}, 11, true};
  const auto mlp = [vector](const std::string& activation, const std::string& loss) {
    const nlohmann::json architecture = {{"kind", "mlp"}, {"hidden", {6, 5}}, {"activation", activation}};
    return [=] { return Problem(architecture, vector, loss, random_matrix(7, 4, 1)); };
  };
  const auto cnn = [image](const std::string& norm, const std::string& pooling) {
    const nlohmann::json architecture = {{"kind", "cnn"}, {"channels", {4, 8}}, {"norm", norm},
                                         {"groups", 2},   {"pooling", pooling}, {"activation", "silu"}};
    return [=] {
      return Problem(architecture, image, "cross_entropy", random_matrix(5, 72, 1).reshape({5, 2, 6, 6}));
    };
  };
  const auto transformer = [text](bool tied) {
    const nlohmann::json architecture = {
        {"kind", "transformer"}, {"layers", 2}, {"heads", 2}, {"d_model", 8}, {"tie_embeddings", tied}};
    return [=] {
      return Problem(architecture, text, "cross_entropy", random_labels(15, 11, 1).reshape({3, 5}));
    };
  };
  return {{"mlp gelu", mlp("gelu", "cross_entropy")},
          {"mlp relu", mlp("relu", "mse")},
          {"mlp tanh", mlp("tanh", "bce")},
          {"mlp identity", mlp("identity", "cross_entropy")},
          {"cnn max", cnn("none", "max")},
          {"cnn avg group", cnn("group", "avg")},
          {"cnn no pooling", cnn("none", "none")},
          {"transformer tied", transformer(true)},
          {"transformer", transformer(false)}};
}

using Product = std::function<model::ParamTensors(const Problem&)>;

std::map<std::string, Product> products() {
  std::map<std::string, Product> all;
  for (const auto& [name, lifetime] :
       {std::pair("once", model::Lifetime::one_product), {"kept", model::Lifetime::many_products}}) {
    all[std::string("gauss_newton ") + name] = [lifetime](const Problem& p) {
      model::LinearizedOutputs outputs(*p.network, p.blobs(p.theta), p.inputs, lifetime);
      return outputs.gauss_newton(p.blobs(p.v), model::loss_curvature(*p.loss, p.targets, p.weights));
    };
  }
  for (const auto& [name, mode] : {std::pair("reverse over reverse", HessianMode::reverse_over_reverse),
                                   {"forward over reverse", HessianMode::forward_over_reverse},
                                   {"reverse over forward", HessianMode::reverse_over_forward}}) {
    all[std::string("hessian ") + name] = [mode](const Problem& p) {
      const auto gradient =
          p.network->linearize_gradient(*p.loss, p.blobs(p.theta), p.inputs, p.targets, p.weights, mode);
      return gradient->hvp(p.blobs(p.v));
    };
  }
  all["loss"] = [](const Problem& p) {
    return model::ParamTensors{
        p.loss->value(p.network->forward(p.blobs(p.theta), p.inputs), p.targets, p.weights)};
  };
  all["gradient"] = [](const Problem& p) {
    model::LinearizedOutputs outputs(*p.network, p.blobs(p.theta), p.inputs, model::Lifetime::one_product);
    return outputs.vjp(model::loss_gradient(*p.loss, p.targets, p.weights));
  };
  return all;
}

/// The same bits on the device as on the host, by operators that never wait for the device.
void check(const std::function<Problem()>& make, const Product& product, at::ScalarType dtype) {
  Problem problem = make();
  problem.compute_in(dtype);
  const model::ParamTensors expected = product(problem);
  problem.move_to(stand_in_device());
  model::ParamTensors actual;
  EXPECT_EQ(transfers_of([&] { actual = product(problem); }), Transfers{});
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(actual[i].device(), stand_in_device());
    EXPECT_TRUE(at::equal(actual[i].cpu(), expected[i])) << "parameter " << i;
  }
}

TEST(NetworksOnDevice, HaveTheCpusProductsAndNeverWait) {
  for (const auto& [network, make] : problems()) {
    for (const auto& [kind, product] : products()) {
      for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
        SCOPED_TRACE(network + ", " + kind + ", " + c10::toString(dtype));
        check(make, product, dtype);
      }
    }
  }
}

}  // namespace
}  // namespace ritzflow::curvature::test
