#include "model/package/compiled_loss.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "core/error.h"
#include "model/package/objective.h"
#include "model_testing.h"

namespace ritzflow::model {
namespace {

using namespace test;
using nlohmann::json;

constexpr int64_t kRows = 5, kOutputs = 3;

json slot(const std::string& name, std::vector<int64_t> shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return {{"name", name}, {"shape", shape}, {"strides", strides}, {"dtype", "float64"}};
}

/// l = 1/2 ||z - y||^4, as export_products.py would store it for 5 samples of one term.
std::shared_ptr<const Package> quartic() {
  const std::vector<int64_t> matrix = {kRows, kOutputs};
  json function = {{"inputs", {0, 1}}, {"outputs", {3, 4}}},
       curvature = {{"inputs", {0, 1, 2}}, {"outputs", {5}}};
  const json manifest = {{"micro_batch", kRows},
                         {"tokens", false},
                         {"outputs", kOutputs},
                         {"computes_in_float32", false},
                         {"slots",
                          {slot("z", matrix), slot("y", matrix), slot("u", matrix), slot("l", {kRows}),
                           slot("r", matrix), slot("s", matrix)}},
                         {"taps", json::array()},
                         {"functions", {{"loss", function}, {"loss_curvature", curvature}}}};
  return std::make_shared<const Package>(manifest, [](const std::string& name) -> PackageFunction {
    return [name](const std::vector<at::Tensor>& in, at::Device) -> std::vector<at::Tensor> {
      const at::Tensor d = in[0] - in[1], square = d.square().sum(1, /*keepdim=*/true);
      if (name == "loss") return {0.5 * square.square().squeeze(1), 2 * square * d};
      return {2 * square * in[2] + 4 * d * (d * in[2]).sum(1, /*keepdim=*/true)};
    };
  });
}

CompiledLoss make(OutputCurvature curvature) {
  return CompiledLoss("mine:quartic", curvature, {}, {{at::kDouble, quartic()}});
}

/// Fewer rows than the package takes, the last one masked with a target that is not a number.
struct Rows {
  at::Tensor z = random_normal("z", {4, kOutputs}), y = random_normal("y", {4, kOutputs});
  at::Tensor w = random_normal("w", {4}).abs(), u = random_normal("u", {4, kOutputs});
  Rows() {
    y[3] = std::numeric_limits<double>::quiet_NaN();
    w[3] = 0;
  }
  at::Tensor d() const { return (z - y).narrow(0, 0, 3); }
};

TEST(CompiledLoss, ValueAndDerivativesAreWeightedSumsOfTheRowsThatCount) {
  const Rows rows;
  const CompiledLoss loss = make(OutputCurvature::unknown);
  const at::Tensor square = rows.d().square().sum(1);
  const at::Tensor w = rows.w.narrow(0, 0, 3);
  EXPECT_NEAR(loss.value(rows.z, rows.y, rows.w).item<double>(),
              (0.5 * square.square() * w).sum().item<double>(), 1e-13);
  const at::Tensor r = loss.gradient(rows.z, rows.y, rows.w);
  EXPECT_LT(relative_error(r.narrow(0, 0, 3), 2 * (square * w).unsqueeze(1) * rows.d()), 1e-14);
  EXPECT_TRUE(r[3].eq(0).all().item<bool>());
  EXPECT_TRUE(loss.curvature(rows.z, rows.y, rows.w, rows.u)[3].eq(0).all().item<bool>());
}

TEST(CompiledLoss, RootColumnsAreARootOfTheCurvatureOfAConvexLoss) {
  const Rows rows;
  const CompiledLoss loss = make(OutputCurvature::convex);
  const Columns column = loss.root_columns(rows.z, rows.y, rows.w);
  at::Tensor sum = at::zeros_like(rows.u);
  for (int64_t c = 0; c < kOutputs; ++c) sum += column(c) * (column(c) * rows.u).sum(1, /*keepdim=*/true);
  const at::Tensor counts = rows.w.gt(0).to(at::kDouble);
  EXPECT_LT(relative_error(sum, loss.curvature(rows.z, rows.y, counts, rows.u)), 1e-13);
}

TEST(CompiledLoss, WithoutAPromiseItHasNoRootAndIsNotConvex) {
  const Rows rows;
  const CompiledLoss loss = make(OutputCurvature::unknown);
  EXPECT_FALSE(loss.is_convex());
  EXPECT_NO_THROW(loss.require_gauss_newton());
  EXPECT_THROW(loss.root_columns(rows.z, rows.y, rows.w), Refusal);
}

TEST(CompiledLoss, InLinearPiecesItHasNoGaussNewtonMatrix) {
  EXPECT_THROW(make(OutputCurvature::zero).require_gauss_newton(), Refusal);
}

TEST(CompiledLoss, AnotherTypeIsRefusedByTheFlagThatExportsIt) {
  const Rows rows;
  try {
    make(OutputCurvature::unknown).gradient(rows.z.to(at::kFloat), rows.y, rows.w);
    FAIL();
  } catch (const Refusal& refusal) {
    EXPECT_NE(std::string(refusal.what()).find("--dtype-compute float32"), std::string::npos);
  }
}

TEST(CompiledLoss, WordsOfItsCurvatureAreChecked) {
  EXPECT_EQ(parse_output_curvature("zero"), OutputCurvature::zero);
  EXPECT_THROW(parse_output_curvature("convx"), InputError);
}

TEST(Objective, IsTheMeanOfItsOutputs) {
  const auto objective = make_objective("mine:heat");
  const at::Tensor z = random_normal("z", {4, 1}), w = random_normal("w", {4}).abs(), y = at::zeros({4});
  EXPECT_NEAR(objective->value(z, y, w).item<double>(), (z.squeeze(1) * w).sum().item<double>(), 1e-14);
  EXPECT_TRUE(objective->gradient(z, y, w).squeeze(1).equal(w));
  EXPECT_TRUE(objective->curvature(z, y, w, z).eq(0).all().item<bool>());
  EXPECT_THROW(objective->require_gauss_newton(), Refusal);
}

}  // namespace
}  // namespace ritzflow::model
