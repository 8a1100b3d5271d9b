#include "problem/sample_draw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "curvature/operators/ggn.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

/// Twelve samples of two rows each; sample s has the inputs s and the targets 2 s, 2 s + 1.
problem::Dataset numbered() {
  problem::Dataset data = dataset(at::arange(12, at::kDouble).view({12, 1}), at::arange(24, at::kLong), 24);
  data.rows_per_sample = 2;
  data.weights = at::ones({24}, at::kDouble);
  data.total_weight = 24;
  return data;
}

std::vector<int64_t> samples_of(const problem::Dataset& part) {
  const at::Tensor inputs = part.inputs.to(at::kLong).contiguous();
  return {inputs.data_ptr<int64_t>(), inputs.data_ptr<int64_t>() + inputs.numel()};
}

TEST(SampleDraw, TakesSamplesWithTheirRowsInTheirOrderAndOnce) {
  const problem::Dataset part = problem::draw_samples(numbered(), 5, 0);
  const auto drawn = samples_of(part);
  EXPECT_EQ(part.samples, 5);
  EXPECT_TRUE(std::ranges::is_sorted(drawn));
  EXPECT_EQ(std::set<int64_t>(drawn.begin(), drawn.end()).size(), 5U);
  EXPECT_EQ(part.total_weight, 10);
  for (int64_t i = 0; i < 5; ++i) {
    const int64_t sample = drawn[static_cast<size_t>(i)];
    EXPECT_EQ(part.targets[2 * i].item<int64_t>(), 2 * sample);
    EXPECT_EQ(part.targets[2 * i + 1].item<int64_t>(), 2 * sample + 1);
  }
}

TEST(SampleDraw, OfOneSeedAreNestedAndOfAnotherDiffer) {
  const problem::Dataset data = numbered();
  for (int64_t count = 1; count < 12; ++count) {
    const auto few = samples_of(problem::draw_samples(data, count, 3));
    const auto more = samples_of(problem::draw_samples(data, count + 1, 3));
    EXPECT_TRUE(std::ranges::includes(more, few)) << count;
  }
  EXPECT_NE(samples_of(problem::draw_samples(data, 6, 3)), samples_of(problem::draw_samples(data, 6, 4)));
}

TEST(SampleDraw, OfAllSamplesIsTheDataSet) {
  const problem::Dataset data = numbered();
  const problem::Dataset all = problem::draw_samples(data, 12, 3);
  EXPECT_TRUE(all.inputs.equal(data.inputs) && all.targets.equal(data.targets));
}

TEST(SampleDraw, MoreThanThereAreAndMaskedOnesAreRefused) {
  problem::Dataset data = numbered();
  EXPECT_THROW(problem::draw_samples(data, 13, 0), InputError);
  data.weights.zero_();
  data.weights[2 * samples_of(problem::draw_samples(numbered(), 11, 0)).back()] = 1;
  EXPECT_THROW(problem::draw_samples(data, 1, 0), InputError);
}

/// A linear model of unit vectors under squared error: F = (1/m) sum_{drawn} e_i e_i'.
TEST(SampleDraw, CurvatureIsTheMeanOverTheSamplesDrawn) {
  const problem::Dataset data = dataset(at::eye(8, at::kDouble), random_matrix(8, 1, 1), 1);
  const problem::Dataset part = problem::draw_samples(data, 3, 5);
  const Eigen::MatrixXd ggn = dense(*make_ggn(mlp_risk(part, {})));
  Eigen::MatrixXd expected = Eigen::MatrixXd::Zero(8, 8);
  const at::Tensor drawn = part.inputs.argmax(1);
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t s = drawn[i].item<int64_t>();
    expected(s, s) = 1.0 / 3;
  }
  EXPECT_LE((ggn - expected).norm(), 1e-14);
}

}  // namespace
}  // namespace ritzflow::curvature::test
