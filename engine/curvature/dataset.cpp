#include "curvature/dataset.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "artifact/item.h"
#include "artifact/reader.h"
#include "core/error.h"
#include "curvature/tensor_io.h"

namespace ritzflow {
namespace {

constexpr int64_t masked_label = -100;

Task parse_task(const ArtifactReader& file) {
  const auto task = file.attribute<std::string>("task");
  if (task == "classification") return Task::classification;
  if (task == "regression") return Task::regression;
  if (task == "language_modeling") return Task::language_modeling;
  throw InputError(
      fmt::format("{}: attribute 'task' is '{}', expected classification, regression or "
                  "language_modeling",
                  file.path().string(), task));
}

[[noreturn]] void wrong(const ArtifactReader& file, const std::string& dataset, const std::string& what) {
  throw InputError(fmt::format("{}: dataset '{}' {}", file.path().string(), dataset, what));
}

void require_shape(const ArtifactReader& file, const std::string& dataset, const at::Tensor& values,
                   const std::vector<int64_t>& expected, const char* names) {
  if (values.sizes() == at::IntArrayRef(expected)) return;
  wrong(file, dataset,
        fmt::format("has shape {}, expected {} = {}", shape_text(values.sizes().vec()), names,
                    shape_text(expected)));
}

/// Names the first integer outside [0, bound); `allowed` marks entries that need not be inside.
void require_range(const ArtifactReader& file, const std::string& dataset, const at::Tensor& values,
                   const at::Tensor& allowed, int64_t bound, const std::string& expected) {
  const at::Tensor bad = values.lt(0).logical_or(values.ge(bound)).logical_and(allowed.logical_not());
  if (!bad.any().item<bool>()) return;
  const auto first = at::nonzero(bad.reshape({-1}))[0].item<int64_t>();
  wrong(file, dataset,
        fmt::format("holds {} at {}, expected {} < {} (num_classes)",
                    values.reshape({-1})[first].item<int64_t>(), index_text(first, values.sizes()), expected,
                    bound));
}

void read_inputs(const ArtifactReader& file, Dataset& data) {
  data.inputs = read_tensor(file, "inputs");
  data.samples = data.inputs.size(0);
  data.shape.input_shape.assign(data.inputs.sizes().begin() + 1, data.inputs.sizes().end());
  data.shape.tokens = data.task == Task::language_modeling;
  if (data.shape.tokens != !data.inputs.is_floating_point()) {
    wrong(file, "inputs",
          fmt::format("has type {}, expected {} for task {}", file.dtype("inputs"),
                      data.shape.tokens ? "int64 tokens" : "float32", to_string(data.task)));
  }
  if (data.shape.tokens && data.inputs.dim() != 2) {
    wrong(file, "inputs", fmt::format("has shape {}, expected [N,T]", shape_text(data.inputs.sizes().vec())));
  }
  if (data.inputs.dim() < 2) {
    wrong(file, "inputs",
          fmt::format("has shape {}, expected [N,...]", shape_text(data.inputs.sizes().vec())));
  }
  if (data.shape.tokens) data.rows_per_sample = data.inputs.size(1);
  if (!data.shape.tokens) require_finite(data.inputs, file, "inputs");
}

/// Sample weights times the mask, one number a row.
void read_weights(const ArtifactReader& file, Dataset& data) {
  at::Tensor weights = at::ones({data.samples, data.rows_per_sample}, at::kDouble);
  if (file.has("weights")) {
    const at::Tensor given = read_tensor(file, "weights").to(at::kDouble);
    require_shape(file, "weights", given, {data.samples}, "[N]");
    require_finite(given, file, "weights");
    if (given.lt(0).any().item<bool>())
      wrong(file, "weights", "holds a negative number, expected weights >= 0");
    weights = weights * given.unsqueeze(1);
  }
  if (file.has("mask")) {
    at::Tensor mask = read_tensor(file, "mask");
    if (mask.dim() == 1) mask = mask.unsqueeze(1);
    require_shape(file, "mask", mask, {data.samples, data.rows_per_sample}, "[N,T]");
    if (mask.ne(0).logical_and(mask.ne(1)).any().item<bool>())
      wrong(file, "mask", "holds a value other than 0 and 1");
    weights = weights * mask.to(at::kDouble);
  }
  data.weights = weights.reshape({-1});
}

int64_t read_num_classes(const ArtifactReader& file) {
  const auto classes = file.attribute<int64_t>("num_classes");
  if (classes >= 1) return classes;
  throw InputError(
      fmt::format("{}: attribute 'num_classes' is {}, expected at least 1", file.path().string(), classes));
}

/// Class indices; the label -100 gets the weight 0 and, so that it can be looked up, the class 0.
void read_labels(const ArtifactReader& file, Dataset& data) {
  at::Tensor labels = read_tensor(file, "targets");
  if (labels.is_floating_point()) {
    wrong(file, "targets", fmt::format("has type {}, expected int64 labels", file.dtype("targets")));
  }
  if (data.task == Task::language_modeling) {
    require_shape(file, "targets", labels, {data.samples, data.rows_per_sample}, "[N,T]");
  } else {
    require_shape(file, "targets", labels, {data.samples}, "[N]");
  }
  data.num_classes = read_num_classes(file);
  const at::Tensor masked = labels.eq(masked_label);
  require_range(file, "targets", labels, masked, data.num_classes, "-100 (masked) or 0 <= label");
  data.weights = data.weights * masked.logical_not().reshape({-1}).to(at::kDouble);
  data.targets = at::where(masked, at::zeros_like(labels), labels).reshape({-1});
}

/// Several labels a sample: yes or no for each class.
void read_multiple_labels(const ArtifactReader& file, Dataset& data) {
  const at::Tensor labels = read_tensor(file, "targets").to(at::kDouble);
  data.num_classes = labels.size(1);
  require_shape(file, "targets", labels, {data.samples, data.num_classes}, "[N,C]");
  if (file.has_attribute("num_classes") && file.attribute<int64_t>("num_classes") != data.num_classes) {
    wrong(file, "targets",
          fmt::format("has {} columns, but the attribute 'num_classes' is {}", data.num_classes,
                      file.attribute<int64_t>("num_classes")));
  }
  const at::Tensor bad = labels.ge(0).logical_and(labels.le(1)).logical_not();
  if (bad.any().item<bool>()) {
    const auto first = at::nonzero(bad.reshape({-1}))[0].item<int64_t>();
    wrong(file, "targets",
          fmt::format("holds {} at {}, expected labels in [0, 1]", labels.reshape({-1})[first].item<double>(),
                      index_text(first, labels.sizes())));
  }
  data.targets = labels;
}

void read_values(const ArtifactReader& file, Dataset& data) {
  at::Tensor values = read_tensor(file, "targets").to(at::kDouble);
  require_finite(values, file, "targets");
  if (values.dim() == 1) values = values.unsqueeze(1);
  if (values.dim() != 2 || values.size(0) != data.samples) {
    wrong(file, "targets",
          fmt::format("has shape {}, expected [N] or [N,C] with N = {}", shape_text(values.sizes().vec()),
                      data.samples));
  }
  data.num_classes = values.size(1);
  data.targets = values;
}

}  // namespace

std::string to_string(Task task) {
  if (task == Task::classification) return "classification";
  return task == Task::regression ? "regression" : "language_modeling";
}

std::string default_loss(const Dataset& data) {
  if (data.task == Task::regression) return "mse";
  return data.targets.is_floating_point() ? "bce" : "cross_entropy";
}

void require_loss_fits(const std::string& loss, const Dataset& data) {
  if (loss == "cross_entropy" && data.targets.is_floating_point()) {
    throw InputError("training.loss cross_entropy needs one class label a sample; for task " +
                     to_string(data.task) + " with such targets use " + default_loss(data));
  }
  if (loss == "bce" && data.task == Task::regression) {
    throw InputError("training.loss bce needs labels in [0, 1]; for task regression use mse");
  }
}

Dataset load_dataset(const std::filesystem::path& path) {
  const ArtifactReader file(path, "ritzflow-data");
  Dataset data;
  data.task = parse_task(file);
  data.sha256 = file.content_sha256();
  read_inputs(file, data);
  read_weights(file, data);
  if (data.task == Task::regression) {
    read_values(file, data);
  } else if (data.task == Task::classification && file.shape("targets").size() == 2) {
    read_multiple_labels(file, data);
  } else {
    read_labels(file, data);
  }
  if (data.shape.tokens) {
    require_range(file, "inputs", data.inputs, at::zeros_like(data.inputs, at::kBool), data.num_classes,
                  "tokens 0 <= t");
  }
  data.shape.outputs = data.num_classes;
  data.total_weight = data.weights.sum().item<double>();
  if (!(data.total_weight > 0)) {
    throw InputError(path.string() +
                     ": every row is masked or has weight 0; the loss averages over no sample");
  }
  return data;
}

}  // namespace ritzflow
