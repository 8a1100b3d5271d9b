#include "model/networks/settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow::model {
namespace {

// Products of two sizes stay within 64 bits.
constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

bool is_integer_from(const nlohmann::json& value, int64_t least) {
  return value.is_number_integer() && value.get<int64_t>() >= least && value.get<int64_t>() <= kMost;
}

}  // namespace

Settings::Settings(const nlohmann::json& object, std::string where, const std::vector<std::string>& known)
    : object_(object), where_(std::move(where)) {
  if (!object.is_object())
    throw InputError(fmt::format("{} must be an object with the keys {}", where_, fmt::join(known, ", ")));
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw InputError(fmt::format("unknown key '{}.{}'{} (keys: {})", where_, key, did_you_mean(key, known),
                                   fmt::join(known, ", ")));
    }
  }
}

int64_t Settings::integer(const std::string& key, int64_t least) const {
  const std::string expected = "an integer >= " + std::to_string(least) + " and < 2^31";
  if (!is_integer_from(value(key, expected), least)) refuse(key, expected);
  return object_.at(key).get<int64_t>();
}

int64_t Settings::integer(const std::string& key, int64_t least, int64_t fallback) const {
  return has(key) ? integer(key, least) : fallback;
}

int64_t Settings::integer_or(const std::string& key, int64_t least, const std::string& word,
                             int64_t fallback) const {
  if (!has(key)) return fallback;
  const auto& found = object_.at(key);
  if (found == word) return 0;
  if (!is_integer_from(found, least)) {
    refuse(key, "an integer >= " + std::to_string(least) + " and < 2^31, or " + word);
  }
  return found.get<int64_t>();
}

std::vector<int64_t> Settings::sizes(const std::string& key, const std::vector<int64_t>& fallback) const {
  if (!has(key)) return fallback;
  const auto& list = object_.at(key);
  const auto is_size = [](const auto& item) { return is_integer_from(item, 1); };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_size)) {
    refuse(key, "a list of integers >= 1 and < 2^31");
  }
  return list.get<std::vector<int64_t>>();
}

double Settings::positive(const std::string& key) const {
  const std::string expected = "a number > 0";
  const auto& found = value(key, expected);
  if (!found.is_number() || !(found.get<double>() > 0)) refuse(key, expected);
  return found.get<double>();
}

double Settings::nonnegative(const std::string& key, double below, double fallback) const {
  if (!has(key)) return fallback;
  const auto& found = object_.at(key);
  if (found.is_number() && found.get<double>() >= 0 && found.get<double>() < below)
    return found.get<double>();
  const bool bounded = below != std::numeric_limits<double>::infinity();
  refuse(key, "a number >= 0" + (bounded ? " and < " + nlohmann::json(below).dump() : ""));
}

bool Settings::flag(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!object_.at(key).is_boolean()) refuse(key, "true or false");
  return object_.at(key).get<bool>();
}

std::string Settings::choice(const std::string& key, const std::vector<std::string>& choices,
                             const std::string& fallback) const {
  if (!has(key)) return fallback;
  const auto& found = object_.at(key);
  const std::string expected = fmt::format("one of {}", fmt::join(choices, ", "));
  if (!found.is_string()) refuse(key, expected);
  const auto word = found.get<std::string>();
  if (std::find(choices.begin(), choices.end(), word) == choices.end()) {
    refuse(key, expected + did_you_mean(word, choices));
  }
  return word;
}

const nlohmann::json& Settings::value(const std::string& key, const std::string& expected) const {
  if (!has(key)) throw InputError(where_ + "." + key + " is missing; it must be " + expected);
  return object_.at(key);
}

void Settings::refuse(const std::string& key, const std::string& expected) const {
  throw InputError(where_ + "." + key + " is " + object_.at(key).dump() + "; it must be " + expected);
}

}  // namespace ritzflow::model
