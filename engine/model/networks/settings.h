#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ritzflow::model {

/// Reads one JSON object of settings, such as `architecture` or `training`. Every error is an InputError that
/// names the key by its path ("architecture.hidden"), shows what was found and says what would be right.
class Settings {
 public:
  /// Refuses keys that are not in `known`, with the nearest right name.
  Settings(const nlohmann::json& object, std::string where, const std::vector<std::string>& known);

  bool has(const std::string& key) const { return object_.contains(key); }

  /// An integer >= `least`; here and below, without a fallback the key is required.
  int64_t integer(const std::string& key, int64_t least) const;
  int64_t integer(const std::string& key, int64_t least, int64_t fallback) const;

  /// An integer >= `least`, or `word` for 0.
  int64_t integer_or(const std::string& key, int64_t least, const std::string& word, int64_t fallback) const;

  /// A list of integers >= 1, possibly empty.
  std::vector<int64_t> sizes(const std::string& key, const std::vector<int64_t>& fallback) const;

  /// A number > 0.
  double positive(const std::string& key) const;

  /// A number in [0, below).
  double nonnegative(const std::string& key, double below, double fallback) const;

  bool flag(const std::string& key, bool fallback) const;

  /// One of `choices`.
  std::string choice(const std::string& key, const std::vector<std::string>& choices,
                     const std::string& fallback) const;

 private:
  const nlohmann::json& value(const std::string& key, const std::string& expected) const;
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace ritzflow::model
