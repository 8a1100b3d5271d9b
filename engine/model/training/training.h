#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/autodiff/network.h"
#include "model/loss.h"
#include "model/training/schedule.h"

namespace ritzflow::model {

/// The `training` object of a model's spec.
struct TrainingOptions {
  int64_t steps = 0;         ///< number of updates; 0 keeps the starting point
  double learning_rate = 0;  ///< the largest of the schedule
  LearningRateSchedule schedule = {};
  int64_t batch_size = 64;        ///< samples in a minibatch, the last one of an epoch may be smaller; 0: all
  double momentum = 0.9;          ///< of sgd and gd
  double weight_decay = 0;        ///< c in the gradient of c/2 ||theta||^2, added to the loss'
  std::string optimizer = "sgd";  ///< sgd | gd | adam
  std::string loss = "cross_entropy";
};

/// Reads {steps, learning_rate, schedule, warmup_steps, batch_size, momentum, loss, weight_decay, optimizer}.
/// gd is sgd with every sample in each update and no momentum unless given. Throws InputError on an unknown
/// key or an impossible value.
TrainingOptions parse_training(const nlohmann::json& training, const std::string& default_loss);

/// Samples to train on. Sample s owns the rows [s rows_per_sample, (s + 1) rows_per_sample) of targets and
/// weights.
struct TrainingData {
  at::Tensor inputs;   ///< [samples, ...]
  at::Tensor targets;  ///< class indices [rows] (i64) or values [rows, C]
  at::Tensor weights;  ///< [rows], at least one above 0
  int64_t rows_per_sample = 1;
};

/// How training went: about 20 equally spaced steps, the first and the last among them.
struct TrainingRecord {
  std::vector<int64_t> step;
  std::vector<double> loss;      ///< weighted mean over the whole data
  std::vector<double> accuracy;  ///< weighted share of right classes; NaN where targets are values
};

/// A point of the path, and all that later points depend on.
struct TrainingState {
  int64_t step = 0;                   ///< updates tried so far
  int64_t updates = 0;                ///< without minibatches whose rows are all masked
  at::Tensor theta;                   ///< [n] float32
  std::vector<at::Tensor> optimizer;  ///< what the optimizer carries, [n] float32 each
  TrainingRecord record;              ///< up to this step
};

/// Called with every point of the path: step 0 (the start) to options.steps; the tensors are valid during the
/// call. An exception that it throws ends the training.
using TrainingObserver = std::function<void(const TrainingState&)>;

/// Minimises sum_i w_i l_i / sum_i w_i over minibatches in float32, with one random permutation of the
/// samples per epoch. The start and the permutations are functions of `seed`: the same seed gives the same
/// bits. With `from`, a state of the same training, the path continues from it bit for bit. Throws
/// InputError that names the step where the loss stops being finite.
TrainingRecord train(const Network& network, const Loss& loss, const TrainingData& data,
                     const TrainingOptions& options, uint64_t seed, const TrainingObserver& observe,
                     const std::optional<TrainingState>& from = std::nullopt);

}  // namespace ritzflow::model
