#include "model/training/training.h"

#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "model/autodiff/linearization.h"
#include "model/networks/networks.h"
#include "model_testing.h"

namespace ritzflow::model {
namespace {

using namespace test;
using nlohmann::json;

/// Ten samples of two classes that a line separates; the batch size 4 does not divide them.
struct Separable {
  std::unique_ptr<Network> network = make_network({{"kind", "mlp"}, {"hidden", {5}}}, {{3}, 2, false});
  std::unique_ptr<Loss> loss = make_loss("cross_entropy");
  at::Tensor inputs = random_normal("inputs", {10, 3});
  TrainingData data{inputs, inputs.select(1, 0).gt(0).to(at::kLong), at::ones({10}, at::kDouble)};
  TrainingOptions options{.steps = 60, .learning_rate = 0.3, .batch_size = 4};

  std::vector<at::Tensor> path(uint64_t seed, TrainingRecord* record = nullptr) const {
    std::vector<at::Tensor> points;
    const TrainingRecord result = train(*network, *loss, data, options, seed, [&](const TrainingState& now) {
      points.push_back(now.theta.clone());
    });
    if (record) *record = result;
    return points;
  }
};

TEST(Training, SameSeedGivesTheSameBitsAndAnotherSeedDoesNot) {
  const Separable problem;
  EXPECT_TRUE(problem.path(1).back().equal(problem.path(1).back()));
  EXPECT_FALSE(problem.path(1).back().equal(problem.path(2).back()));
}

TEST(Training, LearnsASeparableProblem) {
  TrainingRecord record;
  Separable().path(1, &record);
  EXPECT_EQ(record.step.front(), 0);
  EXPECT_EQ(record.step.back(), 60);
  EXPECT_LT(record.loss.back(), 0.3 * record.loss.front());
  EXPECT_EQ(record.accuracy.back(), 1.0);
}

TEST(Training, AdamLearnsASeparableProblem) {
  Separable problem;
  problem.options.optimizer = "adam";
  problem.options.learning_rate = 0.05;
  TrainingRecord record;
  problem.path(1, &record);
  EXPECT_LT(record.loss.back(), 0.3 * record.loss.front());
}

TEST(Training, PathHasEveryStepAndStartsAtTheInitialPoint) {
  const Separable problem;
  const auto path = problem.path(3);
  std::vector<double> start(static_cast<size_t>(path[0].numel()));
  problem.network->initialize(3, start);
  EXPECT_EQ(path.size(), 61u);
  EXPECT_TRUE(path[0].equal(at::tensor(start, at::kDouble).to(at::kFloat)));
}

TEST(Training, ZeroStepsKeepTheInitialPoint) {
  Separable problem;
  problem.options.steps = 0;
  TrainingRecord record;
  EXPECT_EQ(problem.path(1, &record).size(), 1u);
  EXPECT_EQ(record.step, std::vector<int64_t>{0});
}

TEST(Training, FirstStepFollowsTheGradientOfTheRegularisedMean) {
  Separable problem;
  problem.options = {.steps = 1, .learning_rate = 0.5, .batch_size = 100, .weight_decay = 0.1};
  problem.data.weights = random_normal("w", {10}).abs();
  const auto path = problem.path(1);
  const ParamTensors start = problem.network->params().blobs(path[0]);
  LinearizedOutputs model(*problem.network, start, problem.inputs.to(at::kFloat), Lifetime::one_product);
  const at::Tensor w = problem.data.weights / problem.data.weights.sum();
  const at::Tensor g = flatten(model.vjp(loss_gradient(*problem.loss, problem.data.targets, w)));
  EXPECT_LT(relative_error(path[1], path[0] - 0.5 * (g + 0.1 * path[0])), 1e-6);
}

TEST(Training, FirstAdamStepHasTheLengthOfTheLearningRate) {
  Separable problem;
  problem.options = {.steps = 1, .learning_rate = 0.01, .batch_size = 10, .optimizer = "adam"};
  const auto path = problem.path(1);
  EXPECT_LT(relative_error((path[1] - path[0]).abs(), at::full_like(path[0], 0.01)), 1e-3);
}

TEST(Training, MaskedSamplesHaveNoInfluence) {
  Separable problem;
  problem.data.weights[4] = 0;
  const at::Tensor end = problem.path(1).back();
  problem.data.targets[4] = -100;
  EXPECT_TRUE(problem.path(1).back().equal(end));
}

TEST(Training, LanguageModelLearnsARepeatingText) {
  const auto network =
      make_network({{"kind", "transformer"}, {"layers", 1}, {"heads", 2}, {"d_model", 8}}, {{6}, 3, true});
  const at::Tensor text = at::arange(8 * 7, at::kLong).remainder(3).view({8, 7});
  const TrainingData data{text.slice(1, 0, 6), text.slice(1, 1, 7).flatten(), at::ones({48}, at::kDouble), 6};
  const auto loss = make_loss("cross_entropy");
  const TrainingOptions options{.steps = 100, .learning_rate = 0.01, .batch_size = 3, .optimizer = "adam"};
  const TrainingRecord record = train(*network, *loss, data, options, 1, [](const TrainingState&) {});
  EXPECT_NEAR(record.loss.front(), std::log(3.0), 0.05);
  EXPECT_EQ(record.accuracy.back(), 1.0);
}

TEST(Training, RegressionHasNoAccuracy) {
  const Separable classes;
  const auto network = make_network({{"kind", "mlp"}, {"hidden", json::array()}}, {{3}, 1, false});
  const TrainingData data{classes.inputs, classes.inputs.sum(1, true), at::ones({10}, at::kDouble)};
  const auto loss = make_loss("mse");
  const TrainingOptions options{.steps = 200, .learning_rate = 0.05, .batch_size = 10};
  const TrainingRecord record = train(*network, *loss, data, options, 1, [](const TrainingState&) {});
  EXPECT_LT(record.loss.back(), 1e-6);
  EXPECT_TRUE(std::isnan(record.accuracy.back()));
}

TEST(Training, DivergenceNamesTheStepAndASmallerLearningRate) {
  Separable problem;
  problem.loss = make_loss("mse");
  problem.options.learning_rate = 1e6;
  try {
    problem.path(1);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("not finite at step"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("for example 100000"), std::string::npos) << error.what();
  }
}

TEST(Training, ObserverCanStopIt) {
  const Separable problem;
  const auto stop = [](const TrainingState& now) {
    if (now.step == 3) throw Interrupted("stopped");
  };
  EXPECT_THROW(train(*problem.network, *problem.loss, problem.data, problem.options, 1, stop), Interrupted);
}

/// A copy of the state behind `step` updates.
TrainingState state_at(const Separable& problem, int64_t step) {
  TrainingState copy;
  train(*problem.network, *problem.loss, problem.data, problem.options, 1, [&](const TrainingState& now) {
    if (now.step != step) return;
    copy = now;
    copy.theta = now.theta.clone();
    for (auto& tensor : copy.optimizer) tensor = tensor.clone();
  });
  return copy;
}

TEST(Training, GoesOnFromAnyStateWithTheBitsOfAnUninterruptedPath) {
  for (const char* optimizer : {"sgd", "adam"}) {
    Separable problem;
    problem.options.optimizer = optimizer;
    problem.data.weights.slice(0, 0, 6).fill_(0);  // some minibatches are masked and update nothing
    TrainingRecord whole;
    const at::Tensor end = problem.path(1, &whole).back();
    for (const int64_t step : {0, 1, 7, 59, 60}) {
      std::vector<at::Tensor> points;
      const TrainingRecord record = train(
          *problem.network, *problem.loss, problem.data, problem.options, 1,
          [&](const TrainingState& now) { points.push_back(now.theta.clone()); }, state_at(problem, step));
      EXPECT_EQ(points.size(), static_cast<size_t>(60 - step));
      if (!points.empty()) {
        EXPECT_TRUE(points.back().equal(end)) << optimizer << step;
      }
      EXPECT_EQ(record.loss, whole.loss);
      EXPECT_EQ(record.step, whole.step);
    }
  }
}

/// theta after `steps` updates theta <- theta - rate(t) grad L(theta) in float64, L over all samples.
at::Tensor descent(const Separable& problem, int64_t steps, const std::function<double(int64_t)>& rate) {
  at::Tensor theta = problem.path(1).front().to(at::kDouble);
  for (int64_t t = 1; t <= steps; ++t) {
    const ParamTensors blobs = problem.network->params().blobs(theta);
    LinearizedOutputs model(*problem.network, blobs, problem.data.inputs.to(at::kDouble),
                            Lifetime::one_product);
    const at::Tensor w = problem.data.weights / problem.data.weights.sum();
    std::vector<at::Tensor> parts;
    for (const auto& g : model.vjp(loss_gradient(*problem.loss, problem.data.targets, w))) {
      parts.push_back(g.reshape({-1}));
    }
    theta = theta - rate(t) * at::cat(parts);
  }
  return theta;
}

TEST(Training, GradientDescentStepsAlongTheGradientOfAllSamples) {
  Separable problem;
  problem.options =
      parse_training({{"steps", 40}, {"learning_rate", 0.3}, {"optimizer", "gd"}}, "cross_entropy");
  const at::Tensor expected = descent(problem, 40, [](int64_t) { return 0.3; });
  EXPECT_TRUE(problem.path(1).back().to(at::kDouble).allclose(expected, 1e-4, 1e-5));
}

TEST(Training, LearningRateRisesThenFollowsTheCosine) {
  Separable problem;
  problem.options = parse_training({{"steps", 20},
                                    {"learning_rate", 0.3},
                                    {"optimizer", "gd"},
                                    {"schedule", "cosine"},
                                    {"warmup_steps", 4}},
                                   "cross_entropy");
  const auto rate = [](int64_t t) {
    if (t <= 4) return 0.3 * static_cast<double>(t) / 4;
    return 0.15 * (1 + std::cos(std::numbers::pi * static_cast<double>(t - 5) / 16));
  };
  const at::Tensor expected = descent(problem, 20, rate);
  EXPECT_TRUE(problem.path(1).back().to(at::kDouble).allclose(expected, 1e-4, 1e-5));
}

TEST(Training, AllSamplesInPartsAreOneBatch) {
  const auto network = make_network({{"kind", "mlp"}, {"hidden", json::array()}}, {{2}, 1, false});
  const at::Tensor x = at::arange(1200 * 2, at::kFloat).view({1200, 2}) / 2400;
  const TrainingData data{x, x.sum(1, true), at::ones({1200}, at::kDouble)};
  const auto loss = make_loss("mse");
  std::vector<at::Tensor> ends;
  for (const int64_t batch : {0, 1200}) {  // in 3 parts of at most 512, and as one permuted minibatch
    const TrainingOptions options{.steps = 30, .learning_rate = 0.1, .batch_size = batch, .momentum = 0};
    train(*network, *loss, data, options, 1, [&](const TrainingState& now) {
      if (now.step == 30) ends.push_back(now.theta.clone());
    });
  }
  EXPECT_TRUE(ends[0].allclose(ends[1], 1e-5, 1e-6));
}

TEST(TrainingOptions, OfGradientDescentTakeAllSamplesAndNoMomentum) {
  json spec = {{"steps", 10}, {"learning_rate", 0.1}, {"optimizer", "gd"}};
  EXPECT_EQ(parse_training(spec, "mse").batch_size, 0);
  EXPECT_EQ(parse_training(spec, "mse").momentum, 0);
  spec["momentum"] = 0.5;
  EXPECT_EQ(parse_training(spec, "mse").momentum, 0.5);
  spec["batch_size"] = "all";
  EXPECT_EQ(parse_training(spec, "mse").batch_size, 0);
  spec["batch_size"] = 32;
  EXPECT_THROW(parse_training(spec, "mse"), InputError);
  EXPECT_EQ(parse_training({{"steps", 10}, {"learning_rate", 0.1}, {"batch_size", "all"}}, "mse").batch_size,
            0);
}

TEST(TrainingOptions, HaveDefaultsAndRefuseWhatIsWrong) {
  const json good = {{"steps", 10}, {"learning_rate", 0.1}, {"batch_size", 4}};
  const TrainingOptions options = parse_training(good, "mse");
  EXPECT_EQ(options.momentum, 0.9);
  EXPECT_EQ(options.optimizer, "sgd");
  EXPECT_EQ(options.loss, "mse");
  for (const json& patch : {json{{"steps", -1}}, json{{"learning_rate", "fast"}}, json{{"learning_rate", 0}},
                            json{{"batch_size", 0}}, json{{"momentum", 1.0}}, json{{"optimiser", "adam"}},
                            json{{"loss", "hinge"}}, json{{"batch_size", "some"}}, json{{"schedule", "step"}},
                            json{{"warmup_steps", -1}}}) {
    json bad = good;
    bad.update(patch);
    EXPECT_THROW(parse_training(bad, "mse"), InputError) << bad;
  }
}

}  // namespace
}  // namespace ritzflow::model
