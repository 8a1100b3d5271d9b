#include "problem/package_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>
#include <tbb/task_arena.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "artifact/hdf5/item.h"
#include "artifact/json_file.h"
#include "core/error.h"
#include "core/sha256.h"
#include "model/package/operator_calls.h"

namespace ritzflow::problem {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string short_key(const std::string& key) { return key.substr(0, 12); }

std::string read_all(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw InputError(path.string() + ": cannot be read; export the model again");
  return text.str();
}

/// The digests in SHA256SUMS by file name.
std::map<std::string, std::string> read_sums(const fs::path& folder) {
  std::istringstream lines(read_all(folder / "SHA256SUMS"));
  std::map<std::string, std::string> sums;
  for (std::string digest, name; lines >> digest >> name;) sums[name] = digest;
  return sums;
}

[[noreturn]] void damaged(const fs::path& file) {
  throw InputError(file.string() +
                   ": is damaged: its bytes are not those that were written; delete the "
                   "package's folder and export the model again");
}

void require_format(const json& manifest, const std::string& key) {
  const auto version = manifest.value("format_version", "");
  if (version.starts_with("1.")) return;
  throw InputError(fmt::format("package {} has format_version '{}', expected 1.x; export the model again",
                               short_key(key), version));
}

void require_torch(const json& manifest, const std::string& key) {
  const std::string ours =
      fmt::format("{}.{}.{}", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, TORCH_VERSION_PATCH);
  const auto theirs = manifest.at("torch").get<std::string>();
  if (theirs == ours) return;
  throw Refusal(fmt::format("package {} was made by PyTorch {}, this program has {}; export the model again",
                            short_key(key), theirs, ours));
}

/// Words after "flags" or "Features" in /proc/cpuinfo.
std::set<std::string> machine_features() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

void require_machine(const json& manifest, const std::string& key) {
  const json& machine = manifest.at("machine");
  if (machine.is_null()) return;  // not compiled: runs anywhere
  utsname here{};
  uname(&here);
  const auto architecture = machine.at("architecture").get<std::string>();
  const std::set<std::string> ours = machine_features();
  std::vector<std::string> missing;
  for (const auto& feature : machine.at("features").get<std::vector<std::string>>()) {
    if (!ours.contains(feature)) missing.push_back(feature);
  }
  if (architecture == here.machine && missing.empty()) return;
  throw Refusal(fmt::format(
      "package {} was compiled for the instruction set {}{}, which this machine lacks; export the model here",
      short_key(key), architecture,
      missing.empty() ? "" : fmt::format(" with {}", fmt::join(missing, ", "))));
}

/// "x real [4], shared:edge_index integer [2, 9]": what a module is called with, a sample of it.
std::string described(const std::map<std::string, std::string>& arguments) {
  std::vector<std::string> words;
  for (const auto& [name, what] : arguments) words.push_back(name + " " + what);
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string arguments_of_package(const json& manifest) {
  std::map<std::string, std::string> arguments;
  for (const json& slot : manifest.at("slots")) {
    const auto name = slot.at("name").get<std::string>();
    if (!model::is_argument(name)) continue;
    auto shape = slot.at("shape").get<std::vector<int64_t>>();
    if (name.starts_with("x")) shape.erase(shape.begin());
    const auto type = slot.at("dtype").get<std::string>();
    const bool real = type.find("float") != std::string::npos;
    arguments[name] = (real             ? "real"
                       : type == "bool" ? "bool"
                                        : "integer") +
                      (" " + artifact::shape_text(shape));
  }
  return described(arguments);
}

std::string arguments_of_data(const model::ModelInputs& data) {
  std::map<std::string, std::string> arguments;
  const auto add = [&](const std::string& name, at::ScalarType type, const std::vector<int64_t>& shape) {
    const char* kind = at::isFloatingType(type) ? "real" : type == at::kBool ? "bool" : "integer";
    arguments[name] = kind + (" " + artifact::shape_text(shape));
  };
  if (data.fields.empty()) add("x", data.type, data.shape.input_shape);
  for (const auto& field : data.fields) add("x:" + field.name, field.type, field.shape);
  for (const auto& [name, value] : data.shared)
    add("shared:" + name, value.scalar_type(), value.sizes().vec());
  return described(arguments);
}

/// Rows of logits for a sample.
int64_t rows_of(const json& manifest) {
  for (const json& slot : manifest.at("slots")) {
    if (slot.at("name") == "z")
      return slot.at("shape").at(0).get<int64_t>() / manifest.at("micro_batch").get<int64_t>();
  }
  return 0;
}

void require_inputs(const json& manifest, const std::string& key, const model::ModelInputs& inputs) {
  const auto text = [](const std::string& arguments, int64_t rows, int64_t outputs) {
    return fmt::format("{} with {} outputs for {} a sample", arguments, outputs,
                       rows == 1 ? "one term of the loss" : fmt::format("{} terms of the loss", rows));
  };
  const std::string theirs =
      text(arguments_of_package(manifest), rows_of(manifest), manifest.at("outputs").get<int64_t>());
  const std::string ours = text(arguments_of_data(inputs), inputs.rows, inputs.shape.outputs);
  if (theirs == ours) return;
  throw InputError(fmt::format("package {} takes {}, but the data have {}; export the model with these data",
                               short_key(key), theirs, ours));
}

/// A function compiled by AOTInductor; as many calls at a time as there are threads.
model::PackageFunction load_compiled(const fs::path& path) {
  // Without it compiled code reads inputs of another layout wrongly, silently.
  setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", /*overwrite=*/1);
  const auto runners = static_cast<size_t>(tbb::this_task_arena::max_concurrency());
  const auto loader = std::make_shared<torch::inductor::AOTIModelPackageLoader>(
      path.string(), "model", /*run_single_threaded=*/false, runners);
  return [loader](std::vector<at::Tensor> inputs, at::Device device) {
    if (!device.is_cpu()) {
      throw Refusal(
          "device cuda: the model was exported with --compile aoti, for processors; export it with "
          "--compile none");
    }
    return loader->boxed_run(std::move(inputs));
  };
}

/// What `read` makes of JSON in a file; keys that are missing or of another type are the file's fault.
template <class Read>
auto read_keys(const fs::path& path, const Read& read) {
  try {
    return read();
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: is not as export_products.py writes it ({}); export the model again",
                                 path.string(), error.what()));
  }
}

model::PackageFunction load_calls(const fs::path& path, const std::string& text) {
  const auto calls = read_keys(path, [&] {
    return std::make_shared<const model::OperatorCalls>(artifact::parse_json(text, path.string()));
  });
  return [calls](std::vector<at::Tensor> inputs, at::Device device) {
    return calls->run(std::move(inputs), device);
  };
}

/// Reads a function's file after its digest has been checked.
model::Package::Loader make_loader(const fs::path& folder, bool compiled) {
  return [folder, compiled, sums = read_sums(folder)](const std::string& name) {
    const fs::path path = folder / (name + (compiled ? ".pt2" : ".json"));
    const std::string bytes = read_all(path);
    const auto sum = sums.find(path.filename().string());
    if (sum == sums.end() || sum->second != sha256_hex(std::string_view(bytes))) damaged(path);
    return compiled ? load_compiled(path) : load_calls(path, bytes);
  };
}

/// `require` checks what is special to the kind of package.
template <class Require>
std::shared_ptr<const model::Package> opened(const fs::path& packages, const std::string& key,
                                             const Require& require) {
  const fs::path folder = packages / key;
  if (!fs::is_directory(folder)) {
    throw InputError(
        fmt::format("{}: no such package; the products of an exported model lie in a folder of packages: "
                    "copy it there with "
                    "the model, or export the model again with --packages {}",
                    folder.string(), packages.string()));
  }
  const std::string text = read_all(folder / "manifest.json");
  if (sha256_hex(std::string_view(text)) != key) damaged(folder / "manifest.json");
  return read_keys(folder / "manifest.json", [&] {
    const json manifest = artifact::parse_json(text, (folder / "manifest.json").string());
    require_format(manifest, key);
    require_torch(manifest, key);
    const bool compiled = manifest.at("compile") == "aoti";
    require_machine(manifest, key);
    require(manifest);
    return std::make_shared<const model::Package>(manifest, make_loader(folder, compiled));
  });
}

}  // namespace

std::shared_ptr<const model::Package> open_package(const fs::path& packages, const std::string& key,
                                                   const model::ModelInputs& inputs) {
  return opened(packages, key, [&](const json& manifest) { require_inputs(manifest, key, inputs); });
}

std::shared_ptr<const model::Package> open_loss_package(const fs::path& packages, const std::string& key) {
  return opened(packages, key, [](const json&) {});
}

std::map<std::string, std::string> package_keys(const artifact::ArtifactReader& model, const json& object,
                                                const std::string& place) {
  const auto packages = object.value(place.substr(place.rfind('.') + 1), json());
  const auto is_key = [](const auto& key) { return key.is_string(); };
  if (packages.is_object() && !packages.empty() && std::all_of(packages.begin(), packages.end(), is_key))
    return packages.get<std::map<std::string, std::string>>();
  throw InputError(model.path().string() + ": attribute 'spec': " + place + " is " + packages.dump() +
                   "; it must name packages by type: {\"float32\": KEY}; export the model again");
}

fs::path packages_folder(const artifact::ArtifactReader& model) {
  const auto place = model.attribute<std::string>("/provenance", "packages_path");
  return (model.path().parent_path() / place).lexically_normal();
}

}  // namespace ritzflow::problem
