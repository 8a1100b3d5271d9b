#include "model/package/package.h"

#include <ATen/ops/empty_strided.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

#include "core/error.h"

namespace ritzflow::model {
namespace {

using nlohmann::json;

at::ScalarType parse_dtype(const std::string& word) {
  static const std::map<std::string, at::ScalarType> types = {
      {"float32", at::kFloat}, {"float64", at::kDouble}, {"float16", at::kHalf}, {"bfloat16", at::kBFloat16},
      {"int64", at::kLong},    {"int32", at::kInt},      {"int16", at::kShort},  {"int8", at::kChar},
      {"uint8", at::kByte},    {"bool", at::kBool}};
  const auto found = types.find(word);
  if (found == types.end()) throw InputError("unknown type '" + word + "' of a slot");
  return found->second;
}

PackageTap parse_tap(const json& entry) {
  const json& bias = entry.at("bias");
  PackageTap tap{parse_word<LayerKind>("the kind of a layer", entry.at("kind")),
                 entry.value("name", ""),
                 entry.at("weight"),
                 bias.is_null() ? "" : bias.get<std::string>(),
                 entry.at("tied"),
                 entry.value("groups", int64_t{1}),
                 {}};
  for (const auto& p : entry.value("pieces", std::vector<std::array<int64_t, 6>>{})) {
    if (p[0] < 0 || p[0] > (tap.bias.empty() ? 0 : 1))
      throw InputError("a layer has a piece of no parameter");
    tap.pieces.push_back({static_cast<size_t>(p[0]), p[1], p[2], p[3], p[4], p[5]});
  }
  return tap;
}

/// An index that a table of the module does not have comes from the data: samples beyond those of the export.
std::vector<at::Tensor> results_of(const PackageFunction& function, std::vector<at::Tensor> inputs,
                                   at::Device device) {
  try {
    return function(std::move(inputs), device);
  } catch (const c10::IndexError& error) {
    throw InputError(
        fmt::format("the data hold an index that the module has no entry for ({}); see their integer inputs",
                    error.what_without_backtrace()));
  }
}

bool same_strides(const at::Tensor& value, const Slot& slot) {
  for (size_t d = 0; d < slot.shape.size(); ++d) {
    if (slot.shape[d] > 1 && value.stride(static_cast<int64_t>(d)) != slot.strides[d]) return false;
  }
  return true;
}

// Where a function runs that reads none of them.
at::Device device_of(const SlotValues& values) {
  const auto found = std::ranges::find_if(values, [](const at::Tensor& value) { return value.defined(); });
  return found == values.end() ? at::Device(at::kCPU) : found->device();
}

}  // namespace

Package::Package(const json& manifest, Loader loader)
    : micro_batch_(manifest.at("micro_batch").get<int64_t>()),
      vocabulary_(manifest.at("tokens").get<bool>() ? manifest.at("outputs").get<int64_t>() : 0),
      computes_in_float32_(manifest.at("computes_in_float32").get<bool>()),
      loader_(std::move(loader)) {
  for (const json& entry : manifest.at("slots")) {
    slots_.push_back({entry.at("name"), entry.at("shape"), entry.at("strides"),
                      parse_dtype(entry.at("dtype").get<std::string>())});
    places_[slots_.back().name] = slots_.size() - 1;
  }
  for (const json& entry : manifest.at("taps")) taps_.push_back(parse_tap(entry));
  for (const auto& [name, entry] : manifest.at("functions").items()) {
    Function& function = functions_[name];
    function.inputs = slots_at(entry.at("inputs"));
    function.outputs = slots_at(entry.at("outputs"));
  }
}

std::vector<size_t> Package::slots_at(const json& listed) const {
  const auto places = listed.get<std::vector<size_t>>();
  for (const size_t place : places) {
    if (place >= slots_.size())
      throw InputError(fmt::format("a function of the package has slot {} of {}", place, slots_.size()));
  }
  return places;
}

size_t Package::slot(const std::string& name) const {
  const auto found = places_.find(name);
  if (found == places_.end()) throw InputError("the package has no slot '" + name + "'");
  return found->second;
}

std::vector<size_t> Package::slots_of(const std::string& kind) const {
  std::vector<size_t> found;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].name.starts_with(kind + ":")) found.push_back(i);
  }
  return found;
}

at::Tensor Package::fitted(const at::Tensor& value, const Slot& slot) const {
  if (!value.defined() || value.sizes() != at::IntArrayRef(slot.shape) || value.scalar_type() != slot.dtype) {
    throw std::invalid_argument(fmt::format(
        "package: slot '{}' needs shape [{}] of {}, got {}", slot.name, fmt::join(slot.shape, ", "),
        c10::toString(slot.dtype),
        value.defined()
            ? fmt::format("[{}] of {}", fmt::join(value.sizes(), ", "), c10::toString(value.scalar_type()))
            : "nothing"));
  }
  if (same_strides(value, slot)) return value;
  return at::empty_strided(slot.shape, slot.strides, value.options()).copy_(value);
}

Package::Function& Package::function(const std::string& name) const {
  const auto found = functions_.find(name);
  if (found == functions_.end()) {
    throw InputError("the model was exported without the function '" + name +
                     "'; export it again with --products ggn hessian kfac");
  }
  return found->second;
}

std::vector<at::Tensor> Package::inputs_of(const Function& function, const SlotValues& values) const {
  std::vector<at::Tensor> inputs;
  for (const size_t i : function.inputs) inputs.push_back(fitted(values[i], slots_[i]));
  return inputs;
}

void Package::call(const std::string& name, Function& function, std::vector<at::Tensor> inputs,
                   at::Device device, SlotValues& values) const {
  const auto& outputs = function.outputs;
  if (outputs.empty()) return;
  std::call_once(function.loaded, [&] { function.call = loader_(name); });
  const auto results = results_of(function.call, std::move(inputs), device);
  if (results.size() != outputs.size()) {
    throw std::invalid_argument("package: function '" + name + "' gives another number of results");
  }
  for (size_t k = 0; k < results.size(); ++k) values[outputs[k]] = fitted(results[k], slots_[outputs[k]]);
}

void Package::run(const std::string& name, SlotValues& values) const {
  Function& chosen = function(name);
  call(name, chosen, inputs_of(chosen, values), device_of(values), values);
}

void Package::run_last(const std::string& name, SlotValues& values) const {
  Function& chosen = function(name);
  const at::Device device = device_of(values);
  std::vector<at::Tensor> inputs = inputs_of(chosen, values);
  values.assign(values.size(), {});
  call(name, chosen, std::move(inputs), device, values);
}

void Package::keep_for(const std::vector<std::string>& functions, SlotValues& values) const {
  std::set<size_t> needed;
  for (const auto& name : functions) {
    const auto& inputs = function(name).inputs;
    needed.insert(inputs.begin(), inputs.end());
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (!needed.contains(i)) values[i].reset();
  }
}

const Package& package_in(const Packages& packages, at::ScalarType type, const std::string& what) {
  const auto found = packages.find(type);
  if (found != packages.end()) return *found->second;
  const std::string wanted = type == at::kDouble ? "float64" : "float32";
  const std::string held = type == at::kDouble ? "float32" : "float64";
  throw Refusal("--dtype-compute " + wanted + ": the " + what + " was exported for products in " + held +
                "; use --dtype-compute " + held + ", or export the model again with --dtype-compute " +
                wanted);
}

}  // namespace ritzflow::model
