#include "problem/loss_file.h"

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>
#include <fmt/format.h>

#include "artifact/hdf5/item.h"
#include "core/error.h"
#include "problem/package_file.h"
#include "problem/tensor_io.h"

namespace ritzflow::problem {
namespace {

/// One number a sample, of weights [samples, rows] that must be equal within a sample.
at::Tensor weights_of_samples(const model::CompiledLoss& loss, const at::Tensor& weights) {
  const at::Tensor first = weights.narrow(1, 0, 1);
  if (weights.eq(first).all().item<bool>()) return first.squeeze(1);
  throw Refusal(
      "the loss '" + loss.name() +
      "' gives one number a sample, but the data mask or weight single tokens (mask, or targets of -100): "
      "let it return the losses of tokens [N, T]");
}

void require_targets(const model::CompiledLoss& loss, const Dataset& data) {
  const model::Slot& slot = loss.targets();
  const int64_t wanted = c10::multiply_integers(slot.shape) / slot.shape.at(0),
                found = data.targets.numel() / data.samples;
  const bool real = at::isFloatingType(slot.dtype);
  if (wanted == found && real == data.targets.is_floating_point()) return;
  throw InputError(
      fmt::format("the loss '{}' takes {} {} target{} a sample, but the data have {} {}; export the model "
                  "with these data",
                  loss.name(), wanted, real ? "real" : "integer", wanted == 1 ? "" : "s", found,
                  data.targets.is_floating_point() ? "real" : "integer"));
}

}  // namespace

std::string training_word(const nlohmann::json& spec, const std::string& key) {
  const auto training = spec.value("training", nlohmann::json::object());
  const auto found = training.is_object() ? training.value(key, nlohmann::json()) : nlohmann::json();
  return found.is_string() ? found.get<std::string>() : std::string();
}

StoredLoss read_loss(const artifact::ArtifactReader& model, const nlohmann::json& spec,
                     const std::string& prefix, const std::map<std::string, at::Tensor>& buffers) {
  const auto training = spec.value("training", nlohmann::json::object());
  if (!training.is_object() || !training.contains("loss_packages")) return {};
  model::Packages packages;
  for (const auto& [dtype, key] : package_keys(model, training, "training.loss_packages")) {
    packages[dtype == "float64" ? at::kDouble : at::kFloat] = open_loss_package(packages_folder(model), key);
  }
  StoredLoss stored;
  stored.loss = std::make_shared<const model::CompiledLoss>(
      training_word(spec, "loss"), model::parse_output_curvature(training_word(spec, "loss_curvature")),
      buffers, std::move(packages));
  stored.check.outputs = read_tensor(model, prefix + "loss/outputs");
  stored.check.targets = read_tensor(model, prefix + "loss/targets");
  for (const auto* name : {"l", "r", "s"}) {
    stored.check.expected[name] = model.read<double>(prefix + "check/" + name);
  }
  return stored;
}

DataFile with_terms_of(const model::CompiledLoss& loss, DataFile file) {
  Dataset& data = file.data;
  require_targets(loss, data);
  const int64_t terms = loss.terms(), samples = data.samples;
  if (terms == data.rows_per_sample) return file;
  const at::Tensor weights = weights_of_samples(loss, data.weights.view({samples, -1}));
  data.weights = weights.repeat_interleave(terms);
  data.targets = data.targets.reshape({samples * terms, -1});
  data.rows_per_sample = file.inputs.rows = terms;
  data.total_weight = data.weights.sum().item<double>();
  return file;
}

}  // namespace ritzflow::problem
