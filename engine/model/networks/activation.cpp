#include "model/networks/activation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>

#include <map>

#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow::model {
namespace {

const std::map<std::string, Activation>& activations() {
  static const std::map<std::string, Activation> table = {
      {"gelu", [](const at::Tensor& x) { return at::gelu(x); }},
      {"identity", [](const at::Tensor& x) { return x; }},
      {"relu", [](const at::Tensor& x) { return x.relu(); }},
      // Not at::silu: its backward is differentiable only where grad mode happens to be on.
      {"silu", [](const at::Tensor& x) { return x * x.sigmoid(); }},
      {"tanh", [](const at::Tensor& x) { return x.tanh(); }},
  };
  return table;
}

}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const auto& [name, function] : activations()) list.push_back(name);
    return list;
  }();
  return names;
}

Activation make_activation(const std::string& name) {
  const auto found = activations().find(name);
  if (found == activations().end()) {
    throw InputError("unknown activation '" + name + "'" + did_you_mean(name, activation_names()));
  }
  return found->second;
}

}  // namespace ritzflow::model
