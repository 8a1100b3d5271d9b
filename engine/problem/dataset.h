#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/words.h"
#include "model/autodiff/network.h"

namespace ritzflow::problem {

/// What a data set asks of a model.
enum class Task { classification, regression, language_modeling };

}  // namespace ritzflow::problem

namespace ritzflow {

template <>
struct Words<problem::Task> {
  using enum problem::Task;
  static constexpr auto all = word_list<problem::Task>({{classification, "classification"},
                                                        {regression, "regression"},
                                                        {language_modeling, "language_modeling"}});
};

}  // namespace ritzflow

namespace ritzflow::problem {

struct Dataset;

/// The loss where a model's spec names none: mse for values, bce for several labels a sample, else
/// cross_entropy.
std::string default_loss(const Dataset& data);

/// Throws InputError where the targets have no meaning for `loss`.
void require_loss_fits(const std::string& loss, const Dataset& data);

/// The samples of one data.h5, checked when loaded. A *row* is one term of the loss: a sample, or a token of
/// a sample in language modelling. Sample s owns the rows [s rows_per_sample, (s + 1) rows_per_sample).
struct Dataset {
  at::Tensor inputs;   ///< [samples, ...] float32 or float64, or token indices [samples, T] (i64)
  at::Tensor targets;  ///< class indices [rows] (i64), or values [rows, C] (float64): regression, or labels
  at::Tensor
      weights;  ///< [rows] float64: sample weight times mask; 0 where masked or where the label is -100
  Task task = Task::classification;
  model::DataShape shape;
  int64_t num_classes = 0;  ///< C: classes, vocabulary or regression targets
  int64_t samples = 0;
  int64_t rows_per_sample = 1;
  double total_weight = 0;  ///< W = sum of the weights
  std::string sha256;       ///< content digest of the file

  int64_t rows() const { return samples * rows_per_sample; }
};

/// Reads and checks a data.h5 (docs/formats.md). Throws InputError that names the file, the data set and the
/// index of the first wrong element: not finite, label or token out of range, all rows masked, wrong shape.
Dataset load_dataset(const std::filesystem::path& path);

}  // namespace ritzflow::problem
