#pragma once
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "app/settings_flags.h"
#include "core/error.h"
#include "settings/operator_settings.h"

namespace ritzflow {

/// The flags that say which operator is meant, shared by `build-operator` and `spectrum`: those of every
/// kind, of which the ones of the kind that is asked for are taken.
class OperatorFlags {
 public:
  void declare(CLI::App& app) {
    app_ = &app;
    add(common_.risk, "Input");
    add(common_, "Operator");
    std::apply([&](auto&... of_kind) { (add(of_kind, "Operator"), ...); }, kinds_);
  }

  /// For a stage that has a flag for them.
  DrawSettings& draws() { return common_.draws; }

  /// The settings of the operator. Throws InputError where a flag says nothing of its kind: it would be
  /// ignored, and the result would pass for what it is not.
  OperatorSettings parsed() const {
    require_flags_apply();
    OperatorSettings settings = common_;
    settings.of_kind = default_settings(settings.kind);
    std::visit([&]<class T>(T& of_kind) { of_kind = std::get<T>(kinds_); }, settings.of_kind);
    return settings;
  }

 private:
  template <class S>
  void add(S& settings, const std::string& group) {
    add_flags(*app_, settings, group);
    each_setting(settings, [&](auto&, const About& about) {
      if (!about.only_for.empty()) kinds_of_flag_[flag_of(about.name)] = about.only_for;
    });
  }

  // Defaults that are written out say nothing new.
  void require_flags_apply() const {
    for (const CLI::Option* option : app_->get_options()) {
      const auto found = kinds_of_flag_.find(option->get_name());
      if (found == kinds_of_flag_.end() || option->count() == 0) continue;
      if (option->results().back() == option->get_default_str()) continue;
      const auto& kinds = found->second;
      if (std::ranges::find(kinds, word(common_.kind)) != kinds.end()) continue;
      throw InputError(fmt::format("{} is for {}, not {}; leave it out", option->get_name(), listed(kinds),
                                   word(common_.kind)));
    }
  }

  static std::string listed(std::span<const std::string_view> kinds) {
    const auto all_but_last = kinds.first(kinds.size() - 1);
    return fmt::format("{}{}{}", fmt::join(all_but_last, ", "), all_but_last.empty() ? "" : " and ",
                       kinds.back());
  }

  OperatorSettings common_;
  SettingsOfEveryKind kinds_;
  std::map<std::string, std::span<const std::string_view>> kinds_of_flag_;
  CLI::App* app_ = nullptr;  ///< knows which flags the user wrote
};

}  // namespace ritzflow
