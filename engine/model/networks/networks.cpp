#include "model/networks/networks.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow::model {
namespace {

using Maker = std::unique_ptr<Network> (*)(const nlohmann::json&, const DataShape&);

const std::map<std::string, Maker> makers = {
    {"cnn", make_cnn}, {"mlp", make_mlp}, {"transformer", make_transformer}};

}  // namespace

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

}  // namespace ritzflow::model
