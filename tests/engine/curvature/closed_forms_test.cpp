// Curvature with known spectra: numerics of each is derived beside its test.
#include <gtest/gtest.h>

#include <algorithm>

#include "curvature/operators/empirical_fisher.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "curvature/operators/mc_fisher.h"
#include "model/networks/networks.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

void expect_near(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, double tolerance) {
  ASSERT_EQ(a.rows(), b.rows());
  ASSERT_EQ(a.cols(), b.cols());
  EXPECT_LE((a - b).cwiseAbs().maxCoeff(), tolerance * std::max(1e-300, b.cwiseAbs().maxCoeff()));
}

Eigen::VectorXd sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return Eigen::Map<Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

// z = W x, l = 1/2 ||z - y||^2: H = I_C (x) X'X/N for W in row-major order, whatever y and W are.
TEST(ClosedForms, LinearRegressionHasTheHessianOfItsInputs) {
  const at::Tensor x = random_matrix(7, 4, 1);
  const auto hessian = make_hessian(mlp_risk(dataset(x, random_matrix(7, 3, 2), 3), {}));
  const Eigen::MatrixXd second_moment = eigen(x).transpose() * eigen(x) / 7;
  Eigen::MatrixXd expected = Eigen::MatrixXd::Zero(12, 12);
  for (int c = 0; c < 3; ++c) expected.block(4 * c, 4 * c, 4, 4) = second_moment;
  expect_near(dense(*hessian), expected, 1e-13);
}

// At W = 0 every p is 1/C: H = (I/C - 11'/C^2) (x) X'X/N with eigenvalues lambda_i/C, C - 1 times each, and d
// zeros.
TEST(ClosedForms, SoftmaxRegressionAtZeroHasMultipleEigenvalues) {
  const int classes = 4, d = 3;
  const at::Tensor x = random_matrix(10, d, 3);
  const auto hessian =
      make_hessian(mlp_risk(dataset(x, random_labels(10, classes, 4), classes), {.scale = 0}));
  const Eigen::VectorXd lambda = eigenvalues(eigen(x).transpose() * eigen(x) / 10);
  std::vector<double> expected(d, 0.0);
  for (int i = 0; i < d; ++i) expected.insert(expected.end(), classes - 1, lambda[i] / classes);
  expect_near(eigenvalues(dense(*hessian)), sorted(expected), 1e-13);
}

// z = W2 W1 x with X'X/N = I and targets B x: at the origin d2L = -2 tr(dW2' B dW1'), so that the eigenvalues
// are
// +-sigma_i(B), each as often as the hidden layer is wide, and zeros.
TEST(ClosedForms, TwoLayerLinearNetAtTheOriginHasTheSingularValuesOfItsTask) {
  const int d = 4, outputs = 3, hidden = 5;
  const at::Tensor x = at::eye(d, at::kDouble) * 2.0;  // N = 4: X'X/N = I
  const at::Tensor b = random_matrix(outputs, d, 5);
  const auto risk = mlp_risk(dataset(x, at::matmul(x, b.t()), outputs),
                             {.hidden = {hidden}, .activation = "identity", .scale = 0});
  const Eigen::VectorXd sigma = Eigen::JacobiSVD<Eigen::MatrixXd>(eigen(b)).singularValues();
  std::vector<double> expected(static_cast<size_t>(hidden * (d - outputs)), 0.0);
  for (int i = 0; i < outputs; ++i) {
    expected.insert(expected.end(), hidden, sigma[i]);
    expected.insert(expected.end(), hidden, -sigma[i]);
  }
  expect_near(eigenvalues(dense(*make_hessian(risk))), sorted(expected), 1e-13);
}

TEST(ClosedForms, GgnIsTheHessianWhereTheModelIsLinearInItsParameters) {
  const at::Tensor x = random_matrix(8, 4, 6);
  for (const auto& data : {dataset(x, random_labels(8, 3, 7), 3), dataset(x, random_matrix(8, 3, 8), 3)}) {
    const auto risk = mlp_risk(data, {.bias = true});
    expect_near(dense(*make_ggn(risk)), dense(*make_hessian(risk)), 1e-13);
  }
}

TEST(ClosedForms, GgnIsNotTheHessianOfADeepNetwork) {
  const auto risk = mlp_risk(dataset(random_matrix(8, 4, 6), random_labels(8, 3, 7), 3), {.hidden = {5}});
  const Eigen::MatrixXd hessian = dense(*make_hessian(risk));
  EXPECT_GT((dense(*make_ggn(risk)) - hessian).norm(), 1e-2 * hessian.norm());
}

// One sample: g g' for the empirical Fisher matrix and for the rank-one "empirical" GGN alike.
TEST(ClosedForms, EmpiricalFisherOfOneSampleIsTheOuterProductOfItsGradient) {
  const auto risk = mlp_risk(dataset(random_matrix(1, 4, 9), random_labels(1, 3, 10), 3), {.hidden = {5}});
  expect_near(dense(*make_empirical_fisher(risk)), dense(*make_gradient_outer_product(*risk)), 1e-13);
}

// Central differences of the gradient with step 1e-5: error about 1e-10.
TEST(ClosedForms, HessianIsTheDerivativeOfTheGradient) {
  const problem::Dataset data = dataset(random_matrix(7, 4, 11), random_labels(7, 3, 12), 3);
  const std::shared_ptr<const model::Network> network =
      model::make_network({{"kind", "mlp"}, {"hidden", {5}}, {"activation", "gelu"}}, data.shape);
  const at::Tensor theta = random_matrix(network->params().size(), 1, 13).reshape({-1});
  const at::Tensor v = random_matrix(network->params().size(), 1, 14).reshape({-1});
  const problem::RiskOptions options{.batch_size = 2, .dtype = at::kDouble};
  const auto gradient_at = [&](const at::Tensor& point) {
    std::vector<double> g(static_cast<size_t>(point.numel()));
    problem::EmpiricalRisk(network, model::make_loss("cross_entropy"), data, point, options).gradient(g);
    return g;
  };
  const double h = 1e-5;
  const auto forward = gradient_at(theta + h * v), backward = gradient_at(theta - h * v);
  const auto risk = std::make_shared<const problem::EmpiricalRisk>(network, model::make_loss("cross_entropy"),
                                                                   data, theta, options);
  const auto hv = product(*make_hessian(risk), {v.data_ptr<double>(), v.data_ptr<double>() + v.numel()});
  for (size_t i = 0; i < hv.size(); ++i) EXPECT_NEAR(hv[i], (forward[i] - backward[i]) / (2 * h), 1e-8);
}

TEST(ClosedForms, DrawsFollowTheModelAndNotTheBatch) {
  const at::Tensor z = at::log(at::tensor({0.2, 0.5, 0.3}, at::kDouble)).expand({20000, 3}).contiguous();
  const auto loss = model::make_loss("cross_entropy");
  const at::Tensor drawn = draw_targets(*loss, z, 0, 1, 0);
  const double expected[] = {0.2, 0.5, 0.3};
  for (int c = 0; c < 3; ++c) {  // standard error below 0.0036
    EXPECT_NEAR(drawn.eq(c).to(at::kDouble).mean().item<double>(), expected[c], 0.015);
  }
  EXPECT_TRUE(drawn.slice(0, 500, 600).equal(draw_targets(*loss, z.slice(0, 500, 600), 500, 1, 0)));
  EXPECT_FALSE(drawn.equal(draw_targets(*loss, z, 0, 1, 1)));
  EXPECT_FALSE(drawn.equal(draw_targets(*loss, z, 0, 2, 0)));
}

}  // namespace
}  // namespace ritzflow::curvature::test
