#include "problem/data_inputs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "problem/data_checks.h"
#include "problem/tensor_io.h"

namespace ritzflow::problem {
namespace {

std::vector<int64_t> shape_of_one(const at::Tensor& values) {
  return {values.sizes().begin() + 1, values.sizes().end()};
}

at::Tensor read_finite(const artifact::ArtifactReader& file, const std::string& path) {
  at::Tensor values = read_tensor(file, path);
  if (values.is_floating_point()) require_finite(values, file, path);
  return values;
}

void read_one_input(const artifact::ArtifactReader& file, DataFile& read) {
  Dataset& data = read.data;
  data.inputs = read_finite(file, "inputs");
  const bool real = data.inputs.is_floating_point();
  data.shape.tokens = data.task == Task::language_modeling;
  read.inputs.type = real ? at::kFloat : data.inputs.scalar_type();
  data.shape.input_shape = shape_of_one(data.inputs);
  const std::string shape = artifact::shape_text(data.inputs.sizes().vec());
  if (data.shape.tokens && real) {
    wrong(file, "inputs",
          fmt::format("has type {}, expected int64 tokens for task language_modeling", file.dtype("inputs")));
  }
  if (data.shape.tokens && data.inputs.dim() != 2) {
    wrong(file, "inputs", fmt::format("has shape {}, expected [N,T]", shape));
  }
  if (real && data.inputs.dim() < 2)
    wrong(file, "inputs", fmt::format("has shape {}, expected [N,...]", shape));
}

void read_group(const artifact::ArtifactReader& file, const std::vector<std::string>& names, DataFile& read) {
  std::vector<at::Tensor> arrays;
  for (const auto& name : names) {
    const std::string path = "inputs/" + name;
    arrays.push_back(read_finite(file, path));
    const at::Tensor& values = arrays.back();
    read.inputs.fields.push_back({name, shape_of_one(values), values.scalar_type()});
    if (values.size(0) == arrays.front().size(0)) continue;
    wrong(file, path,
          fmt::format("has {} samples, but '{}' has {}", values.size(0), "inputs/" + names.front(),
                      arrays.front().size(0)));
  }
  read.data.inputs = model::packed(arrays);
}

}  // namespace

void read_inputs(const artifact::ArtifactReader& file, DataFile& read) {
  if (!file.has("inputs")) wrong(file, "inputs", "is missing");
  const auto names = file.children("inputs");
  names.empty() ? read_one_input(file, read) : read_group(file, names, read);
  read.data.samples = read.data.inputs.size(0);
  if (!file.has("shared")) return;
  for (const auto& name : file.children("shared"))
    read.inputs.shared[name] = read_finite(file, "shared/" + name);
}

}  // namespace ritzflow::problem
