#include "model/network.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/nearest.h"
#include "model/layers.h"
#include "model/linearization.h"
#include "model/networks.h"

namespace ritzflow {
namespace {

using Maker = std::unique_ptr<Network> (*)(const nlohmann::json&, const DataShape&);

const std::map<std::string, Maker> makers = {
    {"cnn", make_cnn}, {"mlp", make_mlp}, {"transformer", make_transformer}};

}  // namespace

at::Tensor Network::forward(const ParamTensors& theta, const at::Tensor& inputs) const {
  const at::Tensor h = features(theta, inputs);
  const auto layer = output_layer();
  return layer ? linear(*layer, theta, h) : h;
}

std::unique_ptr<Linearization> Network::linearize(const ParamTensors& theta, const at::Tensor& inputs,
                                                  Lifetime lifetime) const {
  return linearize_by_autograd(*this, theta, inputs, lifetime);
}

std::unique_ptr<HessianLinearization> Network::linearize_gradient(const Loss& loss, const ParamTensors& theta,
                                                                  const at::Tensor& inputs,
                                                                  const at::Tensor& targets,
                                                                  const at::Tensor& weights,
                                                                  HessianMode mode) const {
  return linearize_gradient_by_autograd(*this, loss, theta, inputs, targets, weights, mode);
}

at::Tensor Network::forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs, Taps&) const {
  return forward(theta, inputs);
}

std::unique_ptr<Network> make_network(const nlohmann::json& architecture, const DataShape& shape) {
  const std::string kinds = "one of cnn, mlp, transformer";
  if (!architecture.is_object() || !architecture.contains("kind") || !architecture.at("kind").is_string()) {
    throw InputError("architecture.kind is missing; it must be " + kinds);
  }
  const auto kind = architecture.at("kind").get<std::string>();
  const auto found = makers.find(kind);
  if (found == makers.end()) {
    throw InputError("unknown architecture.kind '" + kind + "'" +
                     did_you_mean(kind, {"cnn", "mlp", "transformer"}) + " (" + kinds + ")");
  }
  return found->second(architecture, shape);
}

}  // namespace ritzflow
