// Networks beside the built-in ones: a layer used twice, batch norm in evaluation mode, one that is not a
// function.
#include <ATen/ops/batch_norm.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "curvature/probes.h"
#include "model/autodiff/layers.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

constexpr int64_t width = 4, classes = 3;

/// h = tanh(W tanh(W x + b) + b): one layer used twice.
class SharedLayer : public model::Network {
 public:
  SharedLayer()
      : inner_(model::add_linear(params_, "inner", width, width, true)),
        head_(model::add_linear(params_, "head", width, classes, true)) {}
  at::Tensor features(const model::ParamTensors& theta, const at::Tensor& x) const override {
    return model::linear(inner_, theta, model::linear(inner_, theta, x).tanh()).tanh();
  }
  std::optional<model::Layer> output_layer() const override { return head_; }
  void initialize(uint64_t, VectorSpan) const override {}

 private:
  model::Layer inner_, head_;
};

/// A linear layer, batch norm with statistics that are constants, tanh.
class EvaluationBatchNorm : public model::Network {
 public:
  EvaluationBatchNorm()
      : inner_(model::add_linear(params_, "inner", width, width, true)),
        norm_(model::add_norm(params_, "norm", width)),
        head_(model::add_linear(params_, "head", width, classes, true)) {}
  at::Tensor features(const model::ParamTensors& theta, const at::Tensor& x) const override {
    const at::Tensor mean = at::full({width}, 0.3, x.options()),
                     variance = at::full({width}, 2.0, x.options());
    return at::batch_norm(model::linear(inner_, theta, x), theta[norm_.weight], theta[*norm_.bias], mean,
                          variance,
                          /*training=*/false, 0.1, 1e-5, /*cudnn_enabled=*/false)
        .tanh();
  }
  std::optional<model::Layer> output_layer() const override { return head_; }
  void initialize(uint64_t, VectorSpan) const override {}

 private:
  model::Layer inner_, norm_, head_;
};

/// Dropout that was left on.
class Dropout : public SharedLayer {
 public:
  at::Tensor features(const model::ParamTensors& theta, const at::Tensor& x) const override {
    return at::dropout(SharedLayer::features(theta, x), 0.5, /*train=*/true);
  }
};

std::shared_ptr<const problem::EmpiricalRisk> risk_of(const std::shared_ptr<const model::Network>& network,
                                                      at::Tensor theta = {}) {
  const problem::Dataset data = dataset(random_matrix(7, width, 1), random_labels(7, classes, 2), classes);
  if (!theta.defined()) theta = random_matrix(network->params().size(), 1, 3).reshape({-1});
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("cross_entropy"), data, theta,
      problem::RiskOptions{.batch_size = 3, .dtype = at::kDouble, .lifetime = model::Lifetime::one_product});
}

/// Central differences of the gradient, column by column: error about 1e-9.
Eigen::MatrixXd differences(const std::shared_ptr<const model::Network>& network) {
  const int64_t n = network->params().size();
  const at::Tensor theta = random_matrix(n, 1, 3).reshape({-1});
  Eigen::MatrixXd h(n, n);
  for (int64_t j = 0; j < n; ++j) {
    Eigen::VectorXd side[2] = {Eigen::VectorXd(n), Eigen::VectorXd(n)};
    for (const int s : {0, 1}) {
      at::Tensor moved = theta.clone();
      moved[j] += s == 0 ? 1e-5 : -1e-5;
      risk_of(network, moved)->gradient({side[s].data(), static_cast<size_t>(n)});
    }
    h.col(j) = (side[0] - side[1]) / 2e-5;
  }
  return h;
}

/// (1/N) sum_i J_i' H_i J_i with the Jacobian of the logits by central differences.
Eigen::MatrixXd gauss_newton(const std::shared_ptr<const model::Network>& network) {
  const int64_t n = network->params().size();
  const at::Tensor theta = random_matrix(n, 1, 3).reshape({-1}), x = random_matrix(7, width, 1);
  const auto logits = [&](const at::Tensor& t) { return network->forward(network->params().blobs(t), x); };
  std::vector<at::Tensor> columns;
  for (int64_t j = 0; j < n; ++j) {
    at::Tensor step = at::zeros_like(theta);
    step[j] = 1e-5;
    columns.push_back((logits(theta + step) - logits(theta - step)) / 2e-5);
  }
  const at::Tensor jacobian = at::stack(columns, 2), p = at::softmax(logits(theta), 1);
  const at::Tensor h = at::diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1);
  return eigen(at::einsum("rci,rcd,rdj->ij", {jacobian, h, jacobian}).contiguous() / 7.0);
}

void expect_exact(const std::shared_ptr<const model::Network>& network,
                  const std::vector<HessianMode>& modes) {
  const Eigen::MatrixXd expected = differences(network);
  for (const auto mode : modes) {
    EXPECT_LE((dense(*make_hessian(risk_of(network), mode)) - expected).cwiseAbs().maxCoeff(), 1e-8);
  }
  EXPECT_LE((dense(*make_ggn(risk_of(network))) - gauss_newton(network)).cwiseAbs().maxCoeff(), 1e-8);
}

TEST(SpecialNetworks, ALayerUsedTwiceHasTheSumOfBothUses) {
  expect_exact(std::make_shared<SharedLayer>(),
               {HessianMode::reverse_over_reverse, HessianMode::forward_over_reverse,
                HessianMode::reverse_over_forward});
}

// LibTorch's backward of batch norm has no forward mode.
TEST(SpecialNetworks, BatchNormInEvaluationModeIsExact) {
  expect_exact(std::make_shared<EvaluationBatchNorm>(),
               {HessianMode::reverse_over_reverse, HessianMode::reverse_over_forward});
}

TEST(SpecialNetworks, DropoutIsRefusedByTheProbesWithItsReason) {
  const auto op = make_ggn(risk_of(std::make_shared<Dropout>()));
  try {
    require_symmetric_linear(probe(*op, 1), 0x1p-52);
    FAIL();
  } catch (const Refusal& refusal) {
    EXPECT_NE(std::string(refusal.what()).find("not deterministic (dropout"), std::string::npos);
  }
}

}  // namespace
}  // namespace ritzflow::curvature::test
