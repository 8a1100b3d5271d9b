#include "settings/catalogue.h"

#include <cmath>

#include "settings/lanczos_settings.h"
#include "settings/stage_settings.h"
#include "settings/values.h"

namespace ritzflow {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
const char* type_of() {
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  if constexpr (std::is_integral_v<T>) return "integer";
  if constexpr (std::is_floating_point_v<T>) return "number";
  if constexpr (std::is_same_v<T, MemorySize>) return "memory";
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return "list";
  return "text";
}

void add_bound(Json& entry, const char* key, double bound) {
  if (std::isfinite(bound)) entry[key] = bound;
}

template <class T>
Json entry_of(const T& value, const About& about) {
  Json entry = {
      {"name", about.name}, {"flag", flag_of(about.name)}, {"type", type_of<T>()}, {"doc", about.doc}};
  if constexpr (Worded<T>) entry["words"] = words<T>();
  if (about.unset.empty() && !about.required) entry["default"] = setting_json(value);
  if (!about.unset.empty()) entry["unset"] = about.unset;
  if (!about.unit.empty()) entry["unit"] = about.unit;
  if (!about.only_for.empty()) entry["only_for"] = about.only_for;
  if (!about.one_of.empty()) entry["one_of"] = about.one_of;
  add_bound(entry, "minimum", about.least);
  add_bound(entry, "exclusiveMinimum", about.above);
  add_bound(entry, "exclusiveMaximum", about.below);
  if (about.stored != Stored::never) entry["attribute"] = about.attribute_name();
  entry["changes_results"] = about.changes_results;
  return entry;
}

template <class S>
void add(Json& all, const char* name) {
  each_value(S{},
             [&](const auto& value, const About& about) { all[name].push_back(entry_of(value, about)); });
}

}  // namespace

nlohmann::ordered_json settings_catalogue() {
  Json all;
  add<LanczosSettings>(all, "lanczos");
  add<CertificateSettings>(all, "certificate");
  add<BasisSettings<BasisPlace>>(all, "basis");
  add<BasisSettings<ReplayPlace>>(all, "replay");
  add<DensitySettings>(all, "density");
  add<RiskSettings>(all, "risk");
  add<OperatorSettings>(all, "operator");
  std::apply([&]<class... S>(const S&...) { (add<S>(all, "operator"), ...); }, SettingsOfEveryKind{});
  add<DrawSettings>(all, "operator");
  add<CollectionSettings>(all, "collection");
  add<Regularization>(all, "metrics");
  add<CheckpointSettings>(all, "checkpoint");
  return all;
}

}  // namespace ritzflow
