#include "curvature/operators/empirical_fisher.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "curvature/operators/sample_gradients.h"
#include "model/autodiff/linearization.h"
#include "model/networks/networks.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

/// 4 samples of 5 tokens; one token of each of two samples and all of the last one masked.
std::shared_ptr<const problem::EmpiricalRisk> language_risk(bool tied, model::Lifetime lifetime) {
  problem::Dataset data;
  data.task = problem::Task::language_modeling;
  data.shape = {{5}, 6, true};
  data.num_classes = 6;
  data.samples = 4;
  data.rows_per_sample = 5;
  data.inputs = random_labels(20, 6, 1).view({4, 5});
  data.targets = random_labels(20, 6, 2);
  data.weights = random_matrix(20, 1, 3).abs().reshape({-1});
  data.weights[2] = data.weights[7] = 0;
  data.weights.narrow(0, 15, 5).zero_();
  data.total_weight = data.weights.sum().item<double>();
  const nlohmann::json architecture = {{"kind", "transformer"}, {"layers", 1},    {"heads", 2},
                                       {"d_model", 4},          {"mlp_ratio", 2}, {"tie_embeddings", tied}};
  const std::shared_ptr<const model::Network> network = model::make_network(architecture, data.shape);
  const at::Tensor theta = random_matrix(network->params().size(), 1, 4).reshape({-1}) * 0.7;
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("cross_entropy"), data, theta,
      problem::RiskOptions{.batch_size = 3, .dtype = at::kDouble, .lifetime = lifetime});
}

std::shared_ptr<const problem::EmpiricalRisk> image_risk(model::Lifetime lifetime) {
  problem::Dataset data = dataset(random_matrix(5, 2 * 6 * 5, 1), random_labels(5, 3, 2), 3);
  data.inputs = data.inputs.view({5, 2, 6, 5});
  data.shape.input_shape = {2, 6, 5};
  const nlohmann::json architecture = {
      {"kind", "cnn"}, {"channels", {4, 4}}, {"norm", "group"}, {"groups", 2}};
  const std::shared_ptr<const model::Network> network = model::make_network(architecture, data.shape);
  const at::Tensor theta = random_matrix(network->params().size(), 1, 4).reshape({-1}) * 0.7;
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("cross_entropy"), data, theta,
      problem::RiskOptions{.batch_size = 3, .dtype = at::kDouble, .lifetime = lifetime});
}

using Risk = std::shared_ptr<const problem::EmpiricalRisk>;

std::vector<Risk> risks(model::Lifetime lifetime) {
  return {
      language_risk(true, lifetime), language_risk(false, lifetime), image_risk(lifetime),
      mlp_risk(dataset(random_matrix(5, 4, 5), random_labels(5, 3, 6), 3), {.hidden = {6}, .bias = true})};
}

/// The mean gradient of sample s by a backward pass of its own.
Eigen::VectorXd gradient_of_sample(const problem::EmpiricalRisk& risk, const problem::Batch& batch,
                                   int64_t s) {
  const int64_t rows = risk.rows_per_sample();
  at::Tensor weights = at::zeros_like(batch.weights);
  weights.narrow(0, s * rows, rows).copy_(batch.weights.narrow(0, s * rows, rows));
  const double sum = weights.sum().item<double>();
  Eigen::VectorXd g = Eigen::VectorXd::Zero(risk.dim());
  if (sum == 0) return g;
  model::LinearizedOutputs model(risk.network(), risk.theta(), batch.inputs, model::Lifetime::one_product);
  const auto parts = model.vjp(model::loss_gradient(risk.loss_function(), batch.targets, weights / sum));
  int64_t at = 0;
  for (const auto& part : parts) {
    const at::Tensor flat = part.reshape({-1}).contiguous();
    std::copy_n(flat.data_ptr<double>(), flat.numel(), g.data() + at);
    at += flat.numel();
  }
  return g;
}

/// sum_s w_s g_s g_s' / W, gradients longer than `clip` scaled down to it.
Eigen::MatrixXd expected(const problem::EmpiricalRisk& risk, double clip) {
  Eigen::MatrixXd e = Eigen::MatrixXd::Zero(risk.dim(), risk.dim());
  for (int64_t b = 0; b < risk.batches(); ++b) {
    const problem::Batch batch = risk.batch(b);
    const at::Tensor weights = sample_weights(batch, risk.rows_per_sample());
    for (int64_t s = 0; s < weights.size(0); ++s) {
      Eigen::VectorXd g = gradient_of_sample(risk, batch, s);
      if (clip > 0 && g.norm() > clip) g *= clip / g.norm();
      e += weights[s].item<double>() / risk.total_weight() * g * g.transpose();
    }
  }
  return e;
}

void expect_near(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, double tolerance) {
  EXPECT_LE((a - b).cwiseAbs().maxCoeff(), tolerance * b.cwiseAbs().maxCoeff());
}

TEST(SampleGradients, EqualABackwardPassForEachSample) {
  for (const Risk& risk : risks(model::Lifetime::one_product)) {
    const problem::Batch batch = risk->batch(0);
    const auto gradients = sample_gradients(*risk, batch);
    ASSERT_TRUE(gradients.has_value());
    for (int64_t s = 0; s < batch.inputs.size(0); ++s) {
      expect_near(eigen((*gradients)[s].unsqueeze(0).contiguous()).transpose(),
                  gradient_of_sample(*risk, batch, s), 1e-13);
    }
  }
}

TEST(EmpiricalFisher, OfSamplesIsTheSecondMomentOfTheirMeanGradients) {
  for (const auto lifetime : {model::Lifetime::one_product, model::Lifetime::many_products}) {
    for (const Risk& risk : risks(lifetime)) {
      for (const double clip : {0.0, 0.5}) {
        const auto op = make_empirical_fisher(risk, {.unit = FisherUnit::sample, .clip = clip});
        expect_near(dense(*op), expected(*risk, clip), 1e-13);
      }
    }
  }
}

TEST(EmpiricalFisher, OfTokensIsAnotherMatrixThanThatOfSamples) {
  const Risk risk = language_risk(true, model::Lifetime::many_products);
  const Eigen::MatrixXd tokens = dense(*make_empirical_fisher(risk));
  const Eigen::MatrixXd samples = dense(*make_empirical_fisher(risk, {.unit = FisherUnit::sample}));
  EXPECT_GT((tokens - samples).norm(), 0.1 * tokens.norm());
}

TEST(EmpiricalFisher, RefusesAClipOfTokensAndANegativeOne) {
  const Risk risk = language_risk(true, model::Lifetime::many_products);
  EXPECT_THROW(make_empirical_fisher(risk, {.clip = 1}), InputError);
  EXPECT_THROW(make_empirical_fisher(risk, {.unit = FisherUnit::sample, .clip = -1}), InputError);
}

}  // namespace
}  // namespace ritzflow::curvature::test
