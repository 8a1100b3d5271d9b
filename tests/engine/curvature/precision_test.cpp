#include <gtest/gtest.h>

#include "curvature/operator_file.h"
#include "curvature/operators/empirical_fisher.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "model/networks/networks.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

std::shared_ptr<const problem::EmpiricalRisk> transformer_risk(at::ScalarType dtype) {
  problem::Dataset data;
  data.task = problem::Task::language_modeling;
  data.shape = {{6}, 7, true};
  data.num_classes = 7;
  data.samples = 5;
  data.rows_per_sample = 6;
  data.inputs = random_labels(30, 7, 1).view({5, 6});
  data.targets = random_labels(30, 7, 2);
  data.weights = at::ones({30}, at::kDouble);
  data.total_weight = 30;
  const std::shared_ptr<const model::Network> network =
      model::make_network({{"kind", "transformer"}, {"layers", 1}, {"heads", 2}, {"d_model", 8}}, data.shape);
  const at::Tensor theta = random_matrix(network->params().size(), 1, 4).reshape({-1}) * 0.3;
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("cross_entropy"), data, theta,
      problem::RiskOptions{.batch_size = 2, .dtype = dtype});
}

using Maker =
    std::function<std::unique_ptr<krylov::LinearOperator>(std::shared_ptr<const problem::EmpiricalRisk>)>;

const std::vector<std::pair<const char*, Maker>> makers = {
    {"ggn", make_ggn},
    {"hessian", [](auto risk) { return make_hessian(std::move(risk)); }},
    {"empirical_fisher", [](auto risk) { return make_empirical_fisher(std::move(risk)); }}};

TEST(Precision, NarrowTypesAgreeWithFloat64ToTheirRounding) {
  for (const auto& [name, make] : makers) {
    const auto exact = make(transformer_risk(at::kDouble));
    const auto v = random_vector(exact->dim(), 5);
    const auto expected = product(*exact, v);
    EXPECT_LT(relative_error(product(*make(transformer_risk(at::kFloat)), v), expected), 1e-5) << name;
    const auto narrow = make(transformer_risk(at::kBFloat16));
    const double error = relative_error(product(*narrow, v), expected);
    EXPECT_LT(error, 0.1) << name;
    EXPECT_GT(error, 1e-5) << name << ": is it computed in bfloat16 at all?";
    EXPECT_EQ(product(*narrow, v), product(*narrow, v)) << name;
  }
}

TEST(Precision, OutputLayerAndLossStayInFloat32) {
  const auto risk = transformer_risk(at::kBFloat16);
  const at::Tensor z = risk->network().forward(risk->theta(), risk->batch(0).inputs);
  EXPECT_EQ(z.scalar_type(), at::kFloat);
  EXPECT_EQ(risk->theta()[0].scalar_type(), at::kFloat);
  EXPECT_NEAR(risk->loss(), transformer_risk(at::kDouble)->loss(), 0.02);
}

TEST(Precision, MachineEpsilonIsTheDistanceFromOneToTheNextNumber) {
  const auto distance = [](at::ScalarType type) {
    const at::Tensor one = at::ones({}, type);
    at::Tensor step = at::ones({}, type);
    while (!at::equal(one + step / 2, one)) step = step / 2;
    return step.item<double>();
  };
  EXPECT_EQ(machine_epsilon(Arithmetic::bfloat16), distance(at::kBFloat16));
  EXPECT_EQ(machine_epsilon(Arithmetic::float32), distance(at::kFloat));
  EXPECT_EQ(machine_epsilon(Arithmetic::float64), distance(at::kDouble));
}

}  // namespace
}  // namespace ritzflow::curvature::test
