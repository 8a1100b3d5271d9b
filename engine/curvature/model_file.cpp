#include "curvature/model_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "artifact/item.h"
#include "artifact/reader.h"
#include "core/error.h"
#include "core/nearest.h"
#include "curvature/tensor_io.h"

namespace ritzflow {
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
std::string step_group(const ArtifactReader& file, const std::string& step) {
  const auto steps = file.children("steps");
  if (steps.empty()) throw InputError(file.path().string() + ": group 'steps' holds no step");
  if (step == "final") return *std::max_element(steps.begin(), steps.end());
  const std::string name = fmt::format("{:08d}", parse_step(step));
  if (std::find(steps.begin(), steps.end(), name) != steps.end()) return name;
  throw InputError(fmt::format("{}: no step {}; the file holds the steps {}", file.path().string(), step,
                               fmt::join(steps, ", ")));
}

nlohmann::json read_spec(const ArtifactReader& file) {
  nlohmann::json spec = nlohmann::json::parse(file.attribute<std::string>("spec"), nullptr, false);
  if (spec.is_discarded() || !spec.is_object() || !spec.contains("architecture")) {
    throw InputError(file.path().string() +
                     ": attribute 'spec' is no JSON object with a key 'architecture' (docs/formats.md)");
  }
  return spec;
}

/// The flat vector's order is the network's; a file that says another one would be read wrongly elsewhere.
void check_order(const ArtifactReader& file, const ParamSpace& space) {
  const auto order = file.attribute<std::vector<std::string>>("parameter_order");
  std::vector<std::string> expected;
  for (const auto& p : space.parameters()) expected.push_back(p.name);
  if (order == expected) return;
  throw InputError(
      fmt::format("{}: attribute 'parameter_order' is [{}], but the architecture in 'spec' has [{}]",
                  file.path().string(), fmt::join(order, ", "), fmt::join(expected, ", ")));
}

at::Tensor read_parameter(const ArtifactReader& file, const std::string& group, const Parameter& p) {
  const std::string path = group + "/" + p.name;
  if (!file.has(path)) {
    throw InputError(fmt::format("{}: parameter '{}' is missing{}", file.path().string(), path,
                                 did_you_mean(p.name, file.children(group))));
  }
  if (file.shape(path) != p.shape) {
    throw InputError(fmt::format("{}: parameter '{}' has shape {}, but the architecture in 'spec' has {}",
                                 file.path().string(), path, shape_text(file.shape(path)),
                                 shape_text(p.shape)));
  }
  at::Tensor values = read_tensor(file, path).to(at::kDouble);
  require_finite(values, file, path);
  return values;
}

}  // namespace

ModelPoint load_model(const std::filesystem::path& path, const std::string& step, const DataShape& shape) {
  const ArtifactReader file(path, "ritzflow-model");
  ModelPoint point;
  point.spec = read_spec(file);
  point.network = make_network(point.spec.at("architecture"), shape);
  const ParamSpace& space = point.network->params();
  check_order(file, space);
  const std::string name = step_group(file, step);
  point.step = parse_step(name);
  point.theta = at::empty({space.size()}, at::kDouble);
  for (const auto& p : space.parameters()) {
    point.theta.narrow(0, p.offset, p.size).copy_(read_parameter(file, "steps/" + name, p).reshape({-1}));
  }
  point.sha256 = file.content_sha256();
  return point;
}

}  // namespace ritzflow
