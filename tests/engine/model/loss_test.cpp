#include "model/loss.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "core/error.h"
#include "model_testing.h"

namespace ritzflow::model {
namespace {

using namespace test;
using torch::autograd::grad;

struct Rows {
  at::Tensor z = 3 * random_normal("z", {6, 4});
  at::Tensor labels = random_indices("y", {6}, 4);
  at::Tensor values = random_normal("y", {6, 4});
  at::Tensor weights = random_normal("w", {6}).abs();
  at::Tensor yes_or_no = random_normal("y", {6, 4}).gt(0).to(at::kDouble);
  const at::Tensor& targets(const Loss& loss) const {
    if (loss.name() == "bce") return yes_or_no;
    return loss.name() == "mse" ? values : labels;
  }
};

class EveryLoss : public ::testing::TestWithParam<std::string> {
 protected:
  const Rows rows_;
  const std::unique_ptr<Loss> loss_ = make_loss(GetParam());
  const at::Tensor& y_ = rows_.targets(*loss_);
};

TEST_P(EveryLoss, GradientEqualsAutogradOfTheValue) {
  const at::Tensor z = rows_.z.clone().requires_grad_();
  const at::Tensor expected = grad({loss_->value(z, y_, rows_.weights)}, {z})[0];
  EXPECT_LT(relative_error(loss_->gradient(rows_.z, y_, rows_.weights), expected), 1e-14);
}

TEST_P(EveryLoss, CurvatureEqualsAutogradOfTheGradient) {
  const at::Tensor z = rows_.z.clone().requires_grad_();
  const at::Tensor u = random_normal("u", z.sizes());
  const at::Tensor expected = grad({loss_->gradient(z, y_, rows_.weights)}, {z}, {u})[0];
  EXPECT_LT(relative_error(loss_->curvature(rows_.z, y_, rows_.weights, u), expected), 1e-14);
}

TEST_P(EveryLoss, RootColumnsAreARootOfTheCurvature) {
  const auto column = loss_->root_columns(rows_.z, y_, rows_.weights);
  const at::Tensor u = random_normal("u", rows_.z.sizes());
  at::Tensor sum = at::zeros_like(u);
  for (int64_t c = 0; c < u.size(1); ++c) sum += column(c) * (column(c) * u).sum(1, /*keepdim=*/true);
  const at::Tensor ones = at::ones_like(rows_.weights);
  EXPECT_LT(relative_error(sum, loss_->curvature(rows_.z, y_, ones, u)), 1e-14);
}

TEST_P(EveryLoss, MaskedRowsGiveExactlyZero) {
  Rows rows;
  rows.weights[2] = 0;
  const double value = loss_->value(rows.z, rows.targets(*loss_), rows.weights).item<double>();
  rows.labels[2] = -100;
  rows.values[2] = rows.yes_or_no[2] = std::numeric_limits<double>::quiet_NaN();
  const at::Tensor& y = rows.targets(*loss_);
  EXPECT_EQ(loss_->value(rows.z, y, rows.weights).item<double>(), value);
  EXPECT_TRUE(loss_->gradient(rows.z, y, rows.weights)[2].eq(0).all().item<bool>());
  EXPECT_TRUE(loss_->curvature(rows.z, y, rows.weights, rows.z)[2].eq(0).all().item<bool>());
}

TEST_P(EveryLoss, SumsInFloat64AndReturnsDerivativesInTheTypeOfTheLogits) {
  const at::Tensor z = rows_.z.to(at::kFloat);
  EXPECT_EQ(loss_->value(z, y_, rows_.weights).scalar_type(), at::kDouble);
  EXPECT_EQ(loss_->gradient(z, y_, rows_.weights).scalar_type(), at::kFloat);
  EXPECT_EQ(loss_->curvature(z, y_, rows_.weights, z).scalar_type(), at::kFloat);
}

TEST_P(EveryLoss, WeightTwoEqualsTheRowTwice) {
  const at::Tensor twice = at::cat({rows_.z, rows_.z}), y = at::cat({y_, y_});
  const at::Tensor w = at::cat({rows_.weights, rows_.weights});
  EXPECT_NEAR(loss_->value(twice, y, w).item<double>(),
              loss_->value(rows_.z, y_, 2 * rows_.weights).item<double>(), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(, EveryLoss, ::testing::ValuesIn(loss_names()),
                         [](const auto& item) { return item.param; });

TEST(CrossEntropy, OfEqualLogitsIsTheLogarithmOfTheClasses) {
  const auto loss = make_loss("cross_entropy");
  const at::Tensor y = at::zeros({2}, at::kLong), w = at::ones({2}, at::kDouble);
  EXPECT_NEAR(loss->value(at::zeros({2, 10}, at::kDouble), y, w).item<double>(), 2 * std::log(10.0), 1e-14);
}

TEST(CrossEntropy, StaysFiniteForLargeLogits) {
  const auto loss = make_loss("cross_entropy");
  const at::Tensor z = at::tensor({1e4, 0.0}, at::kDouble).unsqueeze(0);
  const at::Tensor y = at::ones({1}, at::kLong), w = at::ones({1}, at::kDouble);
  EXPECT_DOUBLE_EQ(loss->value(z, y, w).item<double>(), 1e4);
}

TEST(BinaryCrossEntropy, OfOneOutputIsCrossEntropyOfTwo) {
  const at::Tensor z = random_normal("z", {6, 1}), y = random_indices("y", {6}, 2);
  const at::Tensor w = random_normal("w", {6}).abs(), two = at::cat({at::zeros_like(z), z}, 1);
  EXPECT_NEAR(make_loss("bce")->value(z, y, w).item<double>(),
              make_loss("cross_entropy")->value(two, y, w).item<double>(), 1e-14);
}

TEST(BinaryCrossEntropy, StaysFiniteForLargeLogits) {
  const at::Tensor z = at::tensor({1e4, -1e4}, at::kDouble).unsqueeze(0), y = at::zeros({1, 2}, at::kDouble);
  EXPECT_DOUBLE_EQ(make_loss("bce")->value(z, y, at::ones({1}, at::kDouble)).item<double>(), 1e4);
}

TEST(MeanSquaredError, OfOneRowIsHalfTheSquaredDistance) {
  const auto loss = make_loss("mse");
  const at::Tensor z = at::tensor({1.0, 2.0}, at::kDouble).unsqueeze(0), y = at::zeros({1, 2}, at::kDouble);
  EXPECT_DOUBLE_EQ(loss->value(z, y, at::ones({1}, at::kDouble)).item<double>(), 2.5);
}

TEST(MeanSquaredError, TakesClassIndicesAsUnitVectors) {
  const auto loss = make_loss("mse");
  const Rows rows;
  const at::Tensor one_hot = at::one_hot(rows.labels, 4);
  EXPECT_TRUE(
      loss->gradient(rows.z, rows.labels, rows.weights).equal(loss->gradient(rows.z, one_hot, rows.weights)));
}

TEST(Loss, UnknownNameIsRefusedWithTheNearest) {
  try {
    make_loss("cross_entrpy");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'cross_entropy'"), std::string::npos);
  }
}

}  // namespace
}  // namespace ritzflow::model
