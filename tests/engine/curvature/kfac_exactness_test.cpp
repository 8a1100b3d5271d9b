// K-FAC against the exact Gauss-Newton matrix: where theory says that they agree, and where they do not.
#include <gtest/gtest.h>

#include "kfac_problems.h"
#include "model/networks/networks.h"

namespace ritzflow::curvature::test {
namespace {

// z = W_L ... W_1 x with mean squared error: the gradients of the outputs do not depend on the sample.
TEST(Kfac, IsTheBlockDiagonalGgnOfADeepLinearNetWithMse) {
  for (const bool bias : {false, true}) {
    const auto risk = mlp_risk(regression(7), {.hidden = {5, 6}, .activation = "identity", .bias = bias});
    const Eigen::MatrixXd expected = ggn_blocks(risk);
    EXPECT_LE(error(kfac_matrix(*risk, {}), expected), 1e-10);
    EXPECT_LE(error(kfac_matrix(*risk, {}, {.of = {.ekfac = true}}), expected), 1e-10);
  }
}

TEST(Kfac, OfADeepLinearNetWeighsItsSamples) {
  problem::Dataset data = regression(6);
  data.weights = at::tensor({0.5, 2.0, 0.0, 1.0, 3.0, 0.25}, at::kDouble);
  data.total_weight = 6.75;
  const auto risk = mlp_risk(data, {.hidden = {5}, .activation = "identity", .bias = true});
  EXPECT_LE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 1e-10);
}

TEST(Kfac, IsTheBlockDiagonalGgnOfOneDatumWithCrossEntropy) {
  const auto risk = mlp_risk(labelled(1), {.hidden = {5, 4}, .bias = true});
  EXPECT_LE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 1e-10);
}

TEST(Kfac, IsTheBlockDiagonalGgnOfOneDatumWithBinaryCrossEntropy) {
  const problem::Dataset data = labelled(1);
  const std::shared_ptr<const model::Network> network =
      model::make_network({{"kind", "mlp"}, {"hidden", {5, 4}}}, data.shape);
  const at::Tensor theta = random_matrix(network->params().size(), 1, 99).reshape({-1});
  const auto risk = std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("bce"), data, theta,
      problem::RiskOptions{.batch_size = 1, .dtype = at::kDouble});
  EXPECT_LE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 1e-10);
}

TEST(Kfac, ExpandIsExactWhereEachPositionHasALossOfItsOwn) {
  const auto risk = positionwise_risk(false);
  EXPECT_LE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 1e-10);
  EXPECT_GE(error(kfac_matrix(*risk, {.sharing = WeightSharing::reduce}), ggn_blocks(risk)), 0.05);
}

TEST(Kfac, ReduceIsExactWhereTheMeanOverPositionsHasTheLoss) {
  const auto risk = positionwise_risk(true);
  EXPECT_LE(error(kfac_matrix(*risk, {.sharing = WeightSharing::reduce}), ggn_blocks(risk)), 1e-10);
  EXPECT_GE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 0.05);
}

// A negative control: inputs and softmax curvature are not independent.
TEST(Kfac, IsNotTheGgnOfSoftmaxRegression) {
  const auto risk = mlp_risk(labelled(200), {.bias = true, .scale = 1.0, .batch_size = 64});
  EXPECT_GE(error(kfac_matrix(*risk, {}), ggn_blocks(risk)), 0.05);
}

TEST(Kfac, OfANormIsTheExactBlockOfItsScaleAndShift) {
  for (const auto& [risk, name] :
       {std::pair{image_risk("group"), "blocks.0.norm."}, std::pair{language_risk(true), "ln_f."}}) {
    const model::ParamSpace& space = risk->network().params();
    const model::Parameter& weight = space.parameters()[space.index(name + std::string("weight"))];
    const auto block = [&](const Eigen::MatrixXd& a) {
      return Eigen::MatrixXd(a.block(weight.offset, weight.offset, 2 * weight.size, 2 * weight.size));
    };
    const Eigen::MatrixXd expected = block(ggn_blocks(risk));
    for (const bool ekfac : {false, true}) {
      EXPECT_LE(error(block(kfac_matrix(*risk, {}, {.of = {.ekfac = ekfac}})), expected), 1e-10) << name;
    }
  }
}

/// The diagonal of the GGN's blocks in the eigenbasis of the factors, by explicit Kronecker products.
TEST(Ekfac, HasTheDiagonalOfTheGgnInItsEigenbasis) {
  const auto risk = mlp_risk(labelled(9), {.hidden = {5}});
  const auto factors = collect_kfac(*risk, {});
  const Eigen::MatrixXd ggn = dense(*make_ggn(risk));
  int64_t offset = 0;
  for (const auto& layer : factors.layers) {
    const Eigen::MatrixXd u_a = eigen(layer.a_eigenvectors), u_g = eigen(layer.g_eigenvectors);
    const at::Tensor moments = layer.ekfac_eigenvalues.contiguous();
    for (int64_t o = 0; o < layer.out(); ++o) {
      for (int64_t i = 0; i < layer.in(); ++i) {
        Eigen::VectorXd u(layer.out() * layer.in());
        for (int64_t r = 0; r < layer.out(); ++r)
          u.segment(r * layer.in(), layer.in()) = u_g(r, o) * u_a.col(i);
        const double expected = u.dot(ggn.block(offset, offset, u.size(), u.size()) * u);
        EXPECT_NEAR(moments[o][i].item<double>(), expected, 1e-13);
      }
    }
    offset += layer.out() * layer.in();
  }
}

TEST(Ekfac, IsNeverFartherFromTheGgnThanKfac) {
  const std::map<std::string, Risk> risks = {
      {"mlp", mlp_risk(labelled(20), {.hidden = {6, 5}, .bias = true})},
      {"mse", mlp_risk(regression(20), {.hidden = {6}, .bias = true})},
      {"cnn", image_risk("group")},
      {"transformer", language_risk(false)},
      {"positions", positionwise_risk(true)}};
  for (const auto& [name, risk] : risks) {
    const Eigen::MatrixXd ggn = ggn_blocks(risk);
    for (const auto sharing : {WeightSharing::expand, WeightSharing::reduce}) {
      const KfacOptions options{.sharing = sharing};
      const double ekfac = error(kfac_matrix(*risk, options, {.of = {.ekfac = true}}), ggn);
      EXPECT_LE(ekfac, error(kfac_matrix(*risk, options), ggn) + 1e-13) << name;
      EXPECT_LT(ekfac, 1) << name;
    }
  }
}

// Inputs and gradients of zero, one class, one sample: nothing divides by zero.
TEST(Kfac, DegenerateFactorsGiveZerosAndNoNan) {
  problem::Dataset zeros = labelled(4);
  zeros.inputs = at::zeros({4, 4}, at::kDouble);
  for (const auto& risk :
       {mlp_risk(zeros, {.hidden = {5}}), mlp_risk(labelled(4, 1), {.hidden = {5}, .bias = true}),
        mlp_risk(labelled(1), {.hidden = {5}, .scale = 0})}) {
    for (const bool ekfac : {false, true}) {
      const Eigen::MatrixXd a = kfac_matrix(*risk, {}, {.of = {.ekfac = ekfac}});
      EXPECT_TRUE(a.allFinite());
      EXPECT_LE((a - ggn_blocks(risk)).norm(), 1e-12);
    }
  }
}

}  // namespace
}  // namespace ritzflow::curvature::test
