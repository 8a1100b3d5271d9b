#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <functional>
#include <map>

#include "core/error.h"
#include "core/kernels.h"
#include "curvature/operators/empirical_fisher.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "curvature/operators/matrix.h"
#include "curvature/operators/mc_fisher.h"
#include "curvature/operators/restriction.h"
#include "model/networks/networks.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

using Maker =
    std::function<std::unique_ptr<krylov::LinearOperator>(std::shared_ptr<const problem::EmpiricalRisk>)>;

const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> all = {
      {"hessian", [](auto risk) { return make_hessian(std::move(risk)); }},
      {"ggn", make_ggn},
      {"empirical_fisher", [](auto risk) { return make_empirical_fisher(std::move(risk)); }},
      {"mc_fisher", [](auto risk) { return make_mc_fisher(std::move(risk), 3, 7); }}};
  return all;
}

problem::Dataset labelled(int64_t samples = 7) {
  return dataset(random_matrix(samples, 4, 1), random_labels(samples, 3, 2), 3);
}

std::vector<double> combination(double a, const std::vector<double>& x, double b,
                                const std::vector<double>& y) {
  std::vector<double> z(x.size());
  for (size_t i = 0; i < z.size(); ++i) z[i] = a * x[i] + b * y[i];
  return z;
}

TEST(CurvatureOperators, AreLinearAndSymmetricOnRandomVectors) {
  const auto risk = mlp_risk(labelled(), {.hidden = {6}});
  for (const auto& [name, make] : makers()) {
    const auto op = make(risk);
    const auto u = random_vector(op->dim(), 3), v = random_vector(op->dim(), 4);
    const auto au = product(*op, u), av = product(*op, v);
    const auto both = product(*op, combination(2, u, -3, v));
    EXPECT_LE(norm(combination(1, both, -1, combination(2, au, -3, av))), 1e-13 * norm(both)) << name;
    EXPECT_NEAR(dot(u, av), dot(v, au), 1e-13 * norm(u) * norm(av)) << name;
  }
}

TEST(CurvatureOperators, SemiDefiniteOnesHaveNoNegativeQuadraticForm) {
  const auto risk = mlp_risk(labelled(), {.hidden = {6}});
  for (const char* name : {"ggn", "empirical_fisher", "mc_fisher"}) {
    const Eigen::VectorXd lambda = eigenvalues(dense(*makers().at(name)(risk)));
    EXPECT_GE(lambda[0], -1e-14 * lambda[lambda.size() - 1]) << name;
  }
  EXPECT_LT(eigenvalues(dense(*make_hessian(risk)))[0], -1e-3);
}

TEST(CurvatureOperators, DoNotDependOnTheCutIntoBatches) {
  for (const auto& [name, make] : makers()) {
    const Eigen::MatrixXd whole = dense(*make(mlp_risk(labelled(70), {.hidden = {4}, .batch_size = 70})));
    const Eigen::MatrixXd cut = dense(*make(mlp_risk(labelled(70), {.hidden = {4}, .batch_size = 64})));
    EXPECT_LE((cut - whole).cwiseAbs().maxCoeff(), 1e-14 * whole.cwiseAbs().maxCoeff()) << name;
  }
}

TEST(CurvatureOperators, HaveTheSameBitsForAnyNumberOfThreads) {
  for (const auto& [name, make] : makers()) {
    const auto risk = mlp_risk(labelled(40), {.hidden = {16}});
    const auto v = random_vector(risk->dim(), 5);
    std::vector<double> expected;
    for (const size_t threads : {1, 2, 4}) {
      const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
      const auto actual = product(*make(risk), v);
      if (expected.empty()) expected = actual;
      EXPECT_EQ(actual, expected) << name << " with " << threads << " threads";
    }
  }
}

// A kept Jacobian is applied by transposing twice, one made for a single product in forward mode.
TEST(CurvatureOperators, AreTheSameWhenLinearizationsAreRebuilt) {
  const problem::Dataset data = labelled(10);
  const auto kept = mlp_risk(data, {.hidden = {6}});
  const auto rebuilt = std::make_shared<const problem::EmpiricalRisk>(
      model::make_network({{"kind", "mlp"}, {"hidden", {6}}, {"bias", false}}, data.shape),
      model::make_loss("cross_entropy"), data, random_matrix(kept->dim(), 1, 99).reshape({-1}) * 0.5,
      problem::RiskOptions{.batch_size = 3, .dtype = at::kDouble, .lifetime = model::Lifetime::one_product});
  const auto v = random_vector(kept->dim(), 6);
  for (const auto& [name, make] : makers()) {
    const auto expected = product(*make(kept), v);
    const auto difference = combination(1, product(*make(rebuilt), v), -1, expected);
    EXPECT_LE(norm(difference), 1e-14 * norm(expected)) << name;
  }
}

TEST(CurvatureOperators, DoNotChangeWhenEverySampleIsDoubled) {
  const problem::Dataset once = labelled();
  const problem::Dataset twice =
      dataset(at::cat({once.inputs, once.inputs}), at::cat({once.targets, once.targets}), 3);
  for (const char* name : {"hessian", "ggn", "empirical_fisher"}) {
    const Eigen::MatrixXd a = dense(*makers().at(name)(mlp_risk(once, {.hidden = {4}})));
    const Eigen::MatrixXd b = dense(*makers().at(name)(mlp_risk(twice, {.hidden = {4}})));
    EXPECT_LE((a - b).cwiseAbs().maxCoeff(), 1e-14 * a.cwiseAbs().maxCoeff()) << name;
  }
}

TEST(CurvatureOperators, ScaleWithTheSquareOfTheInputsWhereTheModelIsLinear) {
  const at::Tensor x = random_matrix(6, 4, 1), y = random_matrix(6, 2, 2);
  const Eigen::MatrixXd a = dense(*make_ggn(mlp_risk(dataset(x, y, 2), {})));
  const Eigen::MatrixXd b = dense(*make_ggn(mlp_risk(dataset(x * 3, y, 2), {})));
  EXPECT_LE((b - 9 * a).cwiseAbs().maxCoeff(), 1e-13 * b.cwiseAbs().maxCoeff());
}

TEST(Restriction, IsThePrincipalSubBlock) {
  const auto risk = mlp_risk(labelled(), {.hidden = {3}});
  const Eigen::MatrixXd full = dense(*make_hessian(risk));
  const auto ranges = select_parameters(risk->network().params(), {"layers.1.*"});
  const Eigen::MatrixXd block = dense(*make_restriction(make_hessian(risk), ranges));
  EXPECT_EQ(block, full.bottomRightCorner(9, 9));
}

TEST(Restriction, RefusesAGlobThatMatchesNothing) {
  const auto risk = mlp_risk(labelled(), {.hidden = {3}});
  EXPECT_THROW(select_parameters(risk->network().params(), {"layer.*"}), InputError);
  EXPECT_THROW(select_parameters(risk->network().params(), {"!*"}), InputError);
}

TEST(MatrixOperator, MultipliesByTheMatrixWithTheSameBitsForAnyNumberOfThreads) {
  const int64_t n = 150;
  const at::Tensor x = random_matrix(n, n, 3);
  const at::Tensor a = (x + x.t()).contiguous();
  const auto matrix = std::make_shared<Matrix>();
  *matrix = {n, false, {a.data_ptr<double>(), a.data_ptr<double>() + n * n}};
  const auto op = make_matrix_operator(matrix);
  EXPECT_LE((dense(*op) - eigen(a)).cwiseAbs().maxCoeff(), 0);
  const auto v = random_vector(n, 4);
  const auto expected = product(*op, v);
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  EXPECT_EQ(product(*op, v), expected);
}

}  // namespace
}  // namespace ritzflow::curvature::test
