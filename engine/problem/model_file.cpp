#include "problem/model_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "artifact/hdf5/item.h"
#include "artifact/json_file.h"
#include "artifact/reader.h"
#include "core/error.h"
#include "core/nearest.h"
#include "model/networks/networks.h"
#include "model/package/compiled_network.h"
#include "model/package/objective.h"
#include "problem/loss_file.h"
#include "problem/objective_data.h"
#include "problem/package_file.h"
#include "problem/tensor_io.h"

namespace ritzflow::problem {
namespace {

int64_t parse_step(const std::string& text) {
  int64_t step = -1;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, step);
  if (error != std::errc() || last != end || step < 0) {
    throw InputError("--step is '" + text + "', expected 'final' or a step number >= 0");
  }
  return step;
}

/// The group of the wanted step: 'steps/<8 digits>'.
std::string step_group(const artifact::ArtifactReader& file, const std::string& step) {
  const auto steps = file.children("steps");
  if (steps.empty()) throw InputError(file.path().string() + ": group 'steps' holds no step");
  if (step == "final") return *std::max_element(steps.begin(), steps.end());
  const std::string name = fmt::format("{:08d}", parse_step(step));
  if (std::find(steps.begin(), steps.end(), name) != steps.end()) return name;
  throw InputError(fmt::format("{}: no step {}; the file holds the steps {}", file.path().string(), step,
                               fmt::join(steps, ", ")));
}

nlohmann::json read_spec(const artifact::ArtifactReader& file) {
  const std::string where = file.path().string() + ": attribute 'spec'";
  nlohmann::json spec = artifact::parse_json(file.attribute<std::string>("spec"), where);
  if (!spec.is_object() || !spec.contains("architecture")) {
    throw InputError(where + " is not a JSON object with a key 'architecture' (docs/formats.md)");
  }
  return spec;
}

/// The flat vector's order is the network's; a file that says another one would be read wrongly elsewhere.
void check_order(const artifact::ArtifactReader& file, const model::ParamSpace& space) {
  const auto order = file.attribute<std::vector<std::string>>("parameter_order");
  std::vector<std::string> expected;
  for (const auto& p : space.parameters()) expected.push_back(p.name);
  if (order == expected) return;
  throw InputError(
      fmt::format("{}: attribute 'parameter_order' is [{}], but the architecture in 'spec' has [{}]",
                  file.path().string(), fmt::join(order, ", "), fmt::join(expected, ", ")));
}

/// The network's sizes come from `data` as well, so that a shape that differs may be that file's fault.
at::Tensor read_parameter(const artifact::ArtifactReader& file, const std::string& group,
                          const model::Parameter& p, const std::filesystem::path& data) {
  const std::string path = group + "/" + p.name;
  if (!file.has(path)) {
    throw InputError(fmt::format("{}: parameter '{}' is missing{}", file.path().string(), path,
                                 did_you_mean(p.name, file.children(group))));
  }
  if (file.shape(path) != p.shape) {
    throw InputError(fmt::format(
        "{}: parameter '{}' has shape {}, but the architecture in 'spec' has {} for the inputs and classes "
        "of {}; expected the data that the model was trained on, or data of its shape",
        file.path().string(), path, artifact::shape_text(file.shape(path)), artifact::shape_text(p.shape),
        data.string()));
  }
  at::Tensor values = read_tensor(file, path).to(at::kDouble);
  require_finite(values, file, path);
  return values;
}

bool is_compiled(const nlohmann::json& spec) {
  const auto& architecture = spec.at("architecture");
  return architecture.is_object() && architecture.value("kind", nlohmann::json()) == "compiled";
}

/// What stands before 'buffers', 'check', ... of a step: 'points/<8 digits>/' where the file holds several.
std::string point_prefix(const artifact::ArtifactReader& file, const std::string& step) {
  return file.has("points") ? "points/" + step + "/" : "";
}

/// The tensors of a group by name; none where there is no such group.
std::map<std::string, at::Tensor> read_tensors(const artifact::ArtifactReader& file,
                                               const std::string& group) {
  std::map<std::string, at::Tensor> tensors;
  if (!file.has(group)) return tensors;
  for (const auto& name : file.children(group)) tensors[name] = read_tensor(file, group + "/" + name);
  return tensors;
}

/// The network whose products `export_products.py` stored: parameters and buffers from this file, functions
/// from the packages that `spec` names.
std::shared_ptr<const model::CompiledNetwork> read_compiled(
    const artifact::ArtifactReader& file, const nlohmann::json& spec, const std::string& group,
    const model::ModelInputs& inputs, const std::map<std::string, at::Tensor>& buffers) {
  model::ParamSpace space;
  for (const auto& name : file.attribute<std::vector<std::string>>("parameter_order")) {
    space.add(name, file.shape(group + "/" + name));
  }
  model::Packages packages;
  for (const auto& [dtype, key] : package_keys(file, spec.at("architecture"), "architecture.packages")) {
    packages[dtype == "float64" ? at::kDouble : at::kFloat] =
        open_package(packages_folder(file), key, inputs);
  }
  const auto network =
      std::make_shared<const model::CompiledNetwork>(std::move(space), buffers, std::move(packages), inputs);
  network->require_fitting_packages(file.path().string());
  return network;
}

model::CheckValues read_check(const artifact::ArtifactReader& file, const std::string& group) {
  model::CheckValues values;
  for (const auto& name : file.children(group)) values[name] = file.read<double>(group + "/" + name);
  return values;
}

}  // namespace

ModelPoint load_model(const std::filesystem::path& path, const std::string& step, DataFile& data,
                      const std::filesystem::path& data_path) {
  const artifact::ArtifactReader file(path, "ritzflow-model");
  ModelPoint point;
  point.spec = read_spec(file);
  const std::string name = step_group(file, step);
  if (is_compiled(point.spec)) {
    const std::string prefix = point_prefix(file, name);
    const auto buffers = read_tensors(file, prefix + "buffers");
    const StoredLoss stored = read_loss(file, point.spec, prefix, buffers);
    point.loss = stored.loss;
    if (stored.loss) data = with_terms_of(*stored.loss, std::move(data));
    if (const std::string objective = training_word(point.spec, "objective"); !objective.empty()) {
      point.loss = model::make_objective(objective);
      data = with_targets_as_input(std::move(data), data_path);
    }
    const auto network = read_compiled(file, point.spec, "steps/" + name, data.inputs, buffers);
    // The check values were taken at fixed inputs or, where the file holds these, at samples of the data.
    point.check = [network, stored, expected = read_check(file, prefix + "check"),
                   arguments = model::Arguments(read_tensors(file, prefix + "check_inputs"))](
                      const model::ParamTensors& theta, bool hessian) {
      network->check(theta, arguments, expected, hessian);
      if (stored.loss) stored.loss->check(stored.check, theta.at(0).options());
    };
    point.micro_batch = network->micro_batch();
    point.network = network;
  } else {
    model::require_built_in(data.inputs);
    point.network = model::make_network(point.spec.at("architecture"), data.inputs.shape);
  }
  const model::ParamSpace& space = point.network->params();
  check_order(file, space);
  point.step = parse_step(name);
  point.theta = at::empty({space.size()}, at::kDouble);
  for (const auto& p : space.parameters()) {
    point.theta.narrow(0, p.offset, p.size)
        .copy_(read_parameter(file, "steps/" + name, p, data_path).reshape({-1}));
  }
  // Of the step alone, where the file says it: more steps in the file make no other matrix.
  const std::string group = "steps/" + name;
  point.sha256 = file.has_attribute(group, "sha256") ? file.attribute<std::string>(group, "sha256")
                                                     : file.content_sha256();
  return point;
}

}  // namespace ritzflow::problem
