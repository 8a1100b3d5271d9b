#include "problem/objective_data.h"

#include <ATen/ATen.h>

#include "artifact/reader.h"
#include "core/error.h"
#include "model/autodiff/records.h"
#include "problem/tensor_io.h"

namespace ritzflow::problem {
namespace {

model::InputField field_of(const std::string& name, const at::Tensor& values) {
  return {name, {values.sizes().begin() + 1, values.sizes().end()}, values.scalar_type()};
}

/// Weight times mask of every sample [N].
at::Tensor weights_of_samples(const artifact::ArtifactReader& file, int64_t samples) {
  at::Tensor weights = at::ones({samples}, at::kDouble);
  for (const auto* name : {"weights", "mask"}) {
    if (!file.has(name)) continue;
    const at::Tensor given = read_tensor(file, name).to(at::kDouble);
    if (given.numel() != samples) {
      throw Refusal(file.path().string() + ": '" + name +
                    "' is of tokens, but an objective gives one loss a sample; let it be an input");
    }
    weights = weights * given.reshape({samples});
  }
  return weights;
}

}  // namespace

DataFile with_targets_as_input(DataFile data, const std::filesystem::path& path) {
  const artifact::ArtifactReader file(path, "ritzflow-data");
  auto& fields = data.inputs.fields;
  std::vector<at::Tensor> arrays = model::unpacked(data.data.inputs, fields);
  if (fields.empty()) {
    arrays = {data.data.inputs};
    fields = {field_of("inputs", data.data.inputs)};
  }
  arrays.push_back(read_tensor(file, "targets"));
  fields.push_back(field_of("targets", arrays.back()));
  Dataset& samples = data.data;
  samples.inputs = model::packed(arrays);
  samples.targets = at::zeros({samples.samples}, at::kDouble);
  samples.weights = weights_of_samples(file, samples.samples);
  samples.total_weight = samples.weights.sum().item<double>();
  samples.rows_per_sample = data.inputs.rows = 1;
  samples.shape = data.inputs.shape = {.input_shape = {}, .outputs = 1, .tokens = false};
  return data;
}

}  // namespace ritzflow::problem
