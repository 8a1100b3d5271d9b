#include "problem/data_targets.h"

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>
#include <fmt/format.h>

#include "core/error.h"
#include "problem/data_checks.h"
#include "problem/tensor_io.h"

namespace ritzflow::problem {
namespace {

constexpr int64_t masked_label = -100;

using Shape = std::vector<int64_t>;

/// Yes or no for each class [N,C], rather than labels: as the file says, or where nothing else could be.
bool holds_several_labels(const artifact::ArtifactReader& file, const at::Tensor& targets) {
  if (file.has_attribute("several_labels")) return file.attribute<bool>("several_labels");
  if (targets.is_floating_point()) return true;
  if (targets.dim() != 2) return false;
  const bool fits =
      !file.has_attribute("num_classes") || file.attribute<int64_t>("num_classes") == targets.size(1);
  return fits && targets.eq(0).logical_or(targets.eq(1)).all().item<bool>();
}

/// Does `mask` or `weights` tell apart the elements of a sample's targets?
bool counts_elements(const artifact::ArtifactReader& file, const Shape& targets) {
  const auto has_shape = [&](const char* name) { return file.has(name) && file.shape(name) == targets; };
  return targets.size() > 1 && (has_shape("mask") || has_shape("weights"));
}

/// One number a term [N, R], from one a sample [N] or one a term [N, ...].
at::Tensor by_term(const artifact::ArtifactReader& file, const std::string& name, const Dataset& data,
                   const Shape& terms) {
  const at::Tensor values = read_tensor(file, name).to(at::kDouble);
  const int64_t rows = data.rows_per_sample;
  if (values.sizes() == at::IntArrayRef{data.samples}) return values.unsqueeze(1).expand({-1, rows});
  const bool one_each = rows == 1 && values.numel() == data.samples && values.size(0) == data.samples;
  if (values.sizes() != at::IntArrayRef(terms) && !one_each) {
    wrong(file, name,
          fmt::format("has shape {}, expected one number a sample [{}] or a term of the loss {}",
                      artifact::shape_text(values.sizes().vec()), data.samples, artifact::shape_text(terms)));
  }
  return values.reshape({data.samples, rows});
}

/// Sample weights times the mask, one number per row.
void read_weights(const artifact::ArtifactReader& file, const Shape& terms, Dataset& data) {
  data.rows_per_sample = c10::multiply_integers(terms) / data.samples;
  at::Tensor weights = at::ones({data.samples, data.rows_per_sample}, at::kDouble);
  if (file.has("weights")) {
    const at::Tensor given = by_term(file, "weights", data, terms);
    require_finite(given, file, "weights");
    if (given.lt(0).any().item<bool>())
      wrong(file, "weights", "holds a negative number, expected weights >= 0");
    weights = weights * given;
  }
  if (file.has("mask")) {
    const at::Tensor mask = by_term(file, "mask", data, terms);
    if (mask.ne(0).logical_and(mask.ne(1)).any().item<bool>())
      wrong(file, "mask", "holds a value other than 0 and 1");
    weights = weights * mask;
  }
  data.weights = weights.reshape({-1});
}

int64_t read_num_classes(const artifact::ArtifactReader& file) {
  const auto classes = file.attribute<int64_t>("num_classes");
  if (classes >= 1) return classes;
  throw InputError(
      fmt::format("{}: attribute 'num_classes' is {}, expected at least 1", file.path().string(), classes));
}

/// Class indices, a term each; the label -100 gets the weight 0 and, so that it can be looked up, the class
/// 0.
void read_labels(const artifact::ArtifactReader& file, const at::Tensor& labels, Dataset& data) {
  if (labels.is_floating_point())
    wrong(file, "targets", fmt::format("has type {}, expected int64 labels", file.dtype("targets")));
  if (data.shape.tokens && labels.sizes() != data.inputs.sizes()) {
    wrong(file, "targets",
          fmt::format("has shape {}, expected [N,T] = {}", artifact::shape_text(labels.sizes().vec()),
                      artifact::shape_text(data.inputs.sizes().vec())));
  }
  read_weights(file, labels.sizes().vec(), data);
  data.num_classes = read_num_classes(file);
  const at::Tensor masked = labels.eq(masked_label);
  require_range(file, "targets", labels, masked, data.num_classes, "-100 (masked) or 0 <= label");
  data.weights = data.weights * masked.logical_not().reshape({-1}).to(at::kDouble);
  data.targets = at::where(masked, at::zeros_like(labels), labels).reshape({-1});
}

/// Values [N,...]: a term a sample, whose outputs are all of them; where each has a weight, a term each.
void read_values(const artifact::ArtifactReader& file, const at::Tensor& values, Dataset& data) {
  const Shape shape = values.sizes().vec();
  read_weights(file, counts_elements(file, shape) ? shape : Shape{data.samples}, data);
  data.targets = values.reshape({data.samples * data.rows_per_sample, -1});
  data.num_classes = data.targets.size(1);
}

void require_probabilities(const artifact::ArtifactReader& file, const at::Tensor& labels) {
  if (labels.dim() == 2 && file.has_attribute("num_classes") &&
      file.attribute<int64_t>("num_classes") != labels.size(1)) {
    wrong(file, "targets",
          fmt::format("has {} columns, but the attribute 'num_classes' is {}", labels.size(1),
                      file.attribute<int64_t>("num_classes")));
  }
  const at::Tensor bad = labels.ge(0).logical_and(labels.le(1)).logical_not();
  if (!bad.any().item<bool>()) return;
  const auto first = at::nonzero(bad.reshape({-1}))[0].item<int64_t>();
  wrong(file, "targets",
        fmt::format("holds {} at {}, expected labels in [0, 1]", labels.reshape({-1})[first].item<double>(),
                    artifact::index_text(first, labels.sizes().vec())));
}

}  // namespace

void read_targets(const artifact::ArtifactReader& file, Dataset& data) {
  const at::Tensor targets = read_tensor(file, "targets");
  if (targets.size(0) != data.samples) {
    wrong(file, "targets",
          fmt::format("has {} samples, but the inputs have {}", targets.size(0), data.samples));
  }
  if (data.task == Task::regression) {
    require_finite(targets.to(at::kDouble), file, "targets");
    return read_values(file, targets.to(at::kDouble), data);
  }
  if (data.task == Task::classification && targets.dim() > 1 && holds_several_labels(file, targets)) {
    require_probabilities(file, targets.to(at::kDouble));
    return read_values(file, targets.to(at::kDouble), data);
  }
  read_labels(file, targets.scalar_type() == at::kBool ? targets.to(at::kLong) : targets, data);
}

}  // namespace ritzflow::problem
