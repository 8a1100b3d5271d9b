#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "settings/choices.h"
#include "settings/setting.h"

namespace ritzflow {

/// A setting's value in JSON: words of enumerations, bytes of sizes.
template <class T>
nlohmann::json setting_json(const T& value) {
  if constexpr (Worded<T>)
    return word(value);
  else if constexpr (std::is_same_v<T, MemorySize>)
    return value.bytes;
  else if constexpr (std::is_same_v<T, std::filesystem::path>)
    return value.string();
  else
    return value;
}

/// Calls `visit(const value&, About)` for each setting of `settings`.
template <class S, class Visit>
void each_value(const S& settings, Visit&& visit) {
  S copy = settings;
  each_setting(copy, [&](const auto& value, const About& about) { visit(value, about); });
}

/// All settings by name.
template <class S>
nlohmann::json values_of(const S& settings) {
  nlohmann::json all = nlohmann::json::object();
  each_value(settings, [&](const auto& value, const About& about) {
    all[std::string(about.name)] = setting_json(value);
  });
  return all;
}

/// What a run that resumes must share with the one that it resumes: the settings that change results.
template <class S>
nlohmann::json identity_of(const S& settings) {
  nlohmann::json identity = nlohmann::json::object();
  each_value(settings, [&](const auto& value, const About& about) {
    if (about.changes_results) identity[std::string(about.name)] = setting_json(value);
  });
  return identity;
}

}  // namespace ritzflow
