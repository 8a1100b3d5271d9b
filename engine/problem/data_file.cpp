#include "problem/data_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "artifact/reader.h"
#include "artifact/settings_attributes.h"
#include "core/error.h"
#include "problem/data_checks.h"
#include "problem/data_inputs.h"
#include "problem/data_targets.h"

namespace ritzflow::problem {

DataFile read_data_file(const std::filesystem::path& path) {
  const artifact::ArtifactReader file(path, "ritzflow-data");
  DataFile read;
  Dataset& data = read.data;
  data.task = artifact::word_attribute<Task>(file, "task");
  data.sha256 = file.content_sha256();
  read_inputs(file, read);
  read_targets(file, data);
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
  read.inputs.shape = data.shape;
  read.inputs.rows = data.rows_per_sample;
  return read;
}

}  // namespace ritzflow::problem
