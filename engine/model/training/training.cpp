#include "model/training/training.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/random_order.h"
#include "model/autodiff/linearization.h"
#include "model/networks/settings.h"
#include "model/training/optimizer.h"

namespace ritzflow::model {
namespace {

constexpr int64_t records = 20;
constexpr int64_t evaluation_batch = 512;

/// Sample indices of the epoch in random order.
std::vector<int64_t> permutation(int64_t samples, uint64_t seed, int64_t epoch) {
  return random_order(Philox(seed, "train-model", "epoch " + std::to_string(epoch)), samples);
}

class Trainer {
 public:
  Trainer(const Network& network, const Loss& loss, const TrainingData& data, const TrainingOptions& options,
          uint64_t seed)
      : network_(network), loss_(loss), options_(options), seed_(seed), samples_(data.inputs.size(0)) {
    const int64_t r = data.rows_per_sample;
    inputs_ = data.inputs.is_floating_point() ? data.inputs.to(at::kFloat) : data.inputs;
    targets_ = data.targets.unflatten(0, {samples_, r});
    weights_ = data.weights.to(at::kDouble).unflatten(0, {samples_, r});
    std::vector<double> start(static_cast<size_t>(network.params().size()));
    network.initialize(seed, start);
    state_.theta = at::tensor(start, at::kDouble).to(at::kFloat);
    blobs_ = network.params().blobs(state_.theta);
    optimizer_ = make_optimizer(options, state_.theta);
    state_.optimizer = optimizer_->state();
  }

  const TrainingState& state() const { return state_; }

  void go_on_from(const TrainingState& from) {
    state_.step = from.step;
    state_.updates = from.updates;
    state_.record = from.record;
    state_.theta.copy_(from.theta);
    for (size_t i = 0; i < state_.optimizer.size(); ++i) state_.optimizer[i].copy_(from.optimizer.at(i));
  }

  /// From theta_{step-1} to theta_step.
  void update() {
    const int64_t step = ++state_.step;
    const std::vector<Rows> parts = minibatch(step - 1);
    double weight = 0;
    for (const Rows& part : parts) weight += part.weights.sum().item<double>();
    if (weight == 0) return;  // every row masked: the minibatch says nothing
    at::Tensor g = gradient(parts.front(), weight);
    for (size_t i = 1; i < parts.size(); ++i) g.add_(gradient(parts[i], weight));
    if (options_.weight_decay > 0) g.add_(state_.theta, options_.weight_decay);
    const double rate = options_.learning_rate * options_.schedule.fraction(step, options_.steps);
    optimizer_->update(state_.theta, g, ++state_.updates, rate);
  }

  /// Records the mean loss and accuracy over the whole data at theta.
  void evaluate() {
    Sums all;
    for (int64_t first = 0; first < samples_; first += evaluation_batch) {
      const Rows batch = consecutive(first, std::min(first + evaluation_batch, samples_));
      const Head head(network_.features(blobs_, batch.inputs), network_.output_layer(), blobs_);
      const Sums part = measure(head, batch);
      all.loss += part.loss;
      all.right += part.right;
    }
    const double total = weights_.sum().item<double>();
    check_finite(state_.step, all.loss);
    state_.record.step.push_back(state_.step);
    state_.record.loss.push_back(all.loss / total);
    state_.record.accuracy.push_back(all.right / total);
  }

 private:
  struct Rows {
    at::Tensor inputs, targets, weights;
  };

  /// Loss, and weight of the rows whose largest logit is that of their class.
  struct Sums {
    double loss = 0, right = 0;
  };

  Sums measure(const Head& head, const Rows& batch) const {
    Sums sums;
    head.for_each_block([&](const RowBlock& rows, const at::Tensor& z) {
      const at::Tensor y = rows.of(batch.targets), w = rows.of(batch.weights);
      sums.loss += loss_.value(z, y, w).item<double>();
      sums.right += right_weight(z, y, w);
    });
    return sums;
  }

  /// sum_i w_i dl_i/dtheta / weight over the rows of `part`.
  at::Tensor gradient(const Rows& part, double weight) const {
    LinearizedOutputs model(network_, blobs_, part.inputs, Lifetime::one_product);
    check_finite(state_.step, measure(model.head(), part).loss);
    return flatten(model.vjp(loss_gradient(loss_, part.targets, part.weights / weight)));
  }

  /// The samples of one update; all of them in parts that take no more memory than an evaluation.
  std::vector<Rows> minibatch(int64_t update) {
    if (options_.batch_size > 0) return {drawn(update)};
    std::vector<Rows> parts;
    for (int64_t first = 0; first < samples_; first += evaluation_batch) {
      parts.push_back(consecutive(first, std::min(first + evaluation_batch, samples_)));
    }
    return parts;
  }

  Rows drawn(int64_t update) {
    const int64_t size = std::min(options_.batch_size, samples_);
    const int64_t per_epoch = (samples_ + size - 1) / size;
    const int64_t first = update % per_epoch * size;
    const int64_t epoch = update / per_epoch;
    if (epoch != epoch_) order_ = permutation(samples_, seed_, epoch_ = epoch);
    const auto last = std::min(first + size, samples_);
    const at::Tensor index = at::tensor(at::ArrayRef(order_).slice(first, last - first), at::kLong);
    return {inputs_.index_select(0, index), targets_.index_select(0, index).flatten(0, 1),
            weights_.index_select(0, index).flatten(0, 1)};
  }

  Rows consecutive(int64_t first, int64_t last) const {
    return {inputs_.slice(0, first, last), targets_.slice(0, first, last).flatten(0, 1),
            weights_.slice(0, first, last).flatten(0, 1)};
  }

  static double right_weight(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) {
    if (y.is_floating_point()) return std::numeric_limits<double>::quiet_NaN();
    return (z.argmax(1).eq(y).to(at::kDouble) * w).sum().item<double>();
  }

  static at::Tensor flatten(const ParamTensors& gradients) {
    std::vector<at::Tensor> parts;
    for (const auto& g : gradients) parts.push_back(g.reshape({-1}));
    return at::cat(parts);
  }

  void check_finite(int64_t step, double loss) const {
    if (std::isfinite(loss)) return;
    throw InputError("training.learning_rate " + nlohmann::json(options_.learning_rate).dump() +
                     ": the loss is not finite at step " + std::to_string(step) +
                     "; a smaller learning rate would be right, for example " +
                     nlohmann::json(options_.learning_rate / 10).dump());
  }

  const Network& network_;
  const Loss& loss_;
  const TrainingOptions& options_;
  uint64_t seed_;
  int64_t samples_;
  at::Tensor inputs_, targets_, weights_;  ///< [samples, ...], [samples, r, ...], [samples, r]
  TrainingState state_;
  ParamTensors blobs_;  ///< over theta
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<int64_t> order_;  ///< of the samples in epoch_
  int64_t epoch_ = -1;
};

}  // namespace

TrainingOptions parse_training(const nlohmann::json& training, const std::string& default_loss) {
  const Settings keys(training, "training",
                      {"steps", "learning_rate", "schedule", "warmup_steps", "batch_size", "momentum", "loss",
                       "weight_decay", "optimizer"});
  constexpr double infinity = std::numeric_limits<double>::infinity();
  TrainingOptions options;
  options.steps = keys.integer("steps", 0);
  options.learning_rate = keys.positive("learning_rate");
  options.schedule.cosine = keys.choice("schedule", {"constant", "cosine"}, "constant") == "cosine";
  options.schedule.warmup_steps = keys.integer("warmup_steps", 0, 0);
  options.optimizer = keys.choice("optimizer", {"sgd", "gd", "adam"}, options.optimizer);
  const bool whole = options.optimizer == "gd";
  options.batch_size = keys.integer_or("batch_size", 1, "all", whole ? 0 : options.batch_size);
  if (whole && options.batch_size > 0) {
    throw InputError("training.batch_size is " + std::to_string(options.batch_size) +
                     ", but optimizer gd takes every sample in each update: leave it out, or take sgd");
  }
  options.momentum = keys.nonnegative("momentum", 1, whole ? 0 : options.momentum);
  options.weight_decay = keys.nonnegative("weight_decay", infinity, options.weight_decay);
  options.loss = keys.choice("loss", loss_names(), default_loss);
  return options;
}

TrainingRecord train(const Network& network, const Loss& loss, const TrainingData& data,
                     const TrainingOptions& options, uint64_t seed, const TrainingObserver& observe,
                     const std::optional<TrainingState>& from) {
  Trainer trainer(network, loss, data, options, seed);
  const int64_t interval = std::max<int64_t>(1, options.steps / records);
  const auto visit = [&] {
    const int64_t step = trainer.state().step;
    if (step % interval == 0 || step == options.steps) trainer.evaluate();
    observe(trainer.state());
  };
  if (from)
    trainer.go_on_from(*from);
  else
    visit();
  while (trainer.state().step < options.steps) {
    trainer.update();
    visit();
  }
  return trainer.state().record;
}

}  // namespace ritzflow::model
