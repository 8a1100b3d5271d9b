#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "app/number_checks.h"
#include "core/memory_size.h"
#include "settings/choices.h"
#include "settings/setting.h"

namespace ritzflow::app {

/// The numbers that a setting may be.
CLI::Validator bounds_of(const About& about, bool whole);

/// "4GiB".
std::string size_text(MemorySize size);

/// The flag of one setting.
template <class T>
CLI::Option* add_flag(CLI::App& app, T& value, const About& about) {
  const std::string flag = flag_of(about.name);
  CLI::Option* option = nullptr;
  if constexpr (std::is_same_v<T, bool>) {
    return app.add_flag(flag, value, described(about, {}));
  } else if constexpr (Worded<T>) {
    const auto known = [](const std::string& text) { return not_one_of(text, words<T>()); };
    option = app.add_option_function<std::string>(
        flag, [&value, flag](const std::string& text) { value = parse_word<T>(flag, text); },
        described(about, words<T>()));
    option->check(CLI::Validator(known, ""));
    if (!about.required) option->default_str(word(value));
  } else if constexpr (std::is_same_v<T, MemorySize>) {
    option = app.add_option_function<std::string>(
        flag, [&value, flag](const std::string& text) { value.bytes = parse_memory(flag, text); },
        described(about, {}));
    option->check(CLI::Validator(not_a_size, ""));
    if (about.unset.empty()) option->default_str(size_text(value));
  } else {
    option = app.add_option(flag, value, described(about, {}));
    if constexpr (std::is_arithmetic_v<T>) option->check(bounds_of(about, std::is_integral_v<T>));
    if (about.unset.empty() && !std::is_same_v<T, std::filesystem::path>) option->capture_default_str();
  }
  if (!about.unit.empty()) option->type_name(std::string(about.unit));
  return option->required(about.required);
}

/// The flags of all settings, in one group of `--help`.
template <class S>
void add_flags(CLI::App& app, S& settings, const std::string& group) {
  each_setting(settings, [&](auto& value, const About& about) {
    app.option_defaults()->group(about.group.empty() ? group : std::string(about.group));
    add_flag(app, value, about);
  });
}

}  // namespace ritzflow::app
