#pragma once
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <tuple>
#include <vector>

#include "app/settings_flags.h"
#include "core/error.h"
#include "settings/operator_settings.h"
#include "settings/values.h"

namespace ritzflow {

/// The flags that say which operator is meant, shared by `build-operator` and `spectrum`: those of every
/// kind, of which the ones of the kind that is asked for are taken.
class OperatorFlags {
 public:
  void declare(CLI::App& app) {
    app_ = &app;
    app::add_flags(app, common_.risk, "Input");
    app::add_flags(app, common_, "Operator");
    std::apply([&](auto&... of_kind) { (app::add_flags(app, of_kind, "Operator"), ...); }, kinds_);
  }

  /// For a stage that has a flag for them.
  DrawSettings& draws() { return common_.draws; }

  /// The settings of the operator. Throws InputError where a flag says nothing of its kind: it would be
  /// ignored, and the result would pass for what it is not.
  OperatorSettings parsed() const {
    require_flags_apply(common_.risk);
    std::apply([&](const auto&... of_kind) { (require_flags_apply(of_kind), ...); }, kinds_);
    OperatorSettings settings = common_;
    settings.of_kind = default_settings(settings.kind);
    std::visit([&]<class T>(T& of_kind) { of_kind = std::get<T>(kinds_); }, settings.of_kind);
    return settings;
  }

 private:
  // Defaults that are written out say nothing new.
  template <class S>
  void require_flags_apply(const S& settings) const {
    const std::string kind = word(common_.kind);
    each_value(settings, [&](const auto&, const About& about) {
      const CLI::Option* option = app_->get_option(flag_of(about.name));
      if (option->count() == 0 || option->results().back() == option->get_default_str()) return;
      if (about.only_for.empty() || std::ranges::find(about.only_for, kind) != about.only_for.end()) return;
      throw InputError(fmt::format("{} is for {}, not {}; leave it out", option->get_name(),
                                   listed(about.only_for), kind));
    });
  }

  static std::string listed(std::span<const std::string_view> kinds) {
    const auto all_but_last = kinds.first(kinds.size() - 1);
    return fmt::format("{}{}{}", fmt::join(all_but_last, ", "), all_but_last.empty() ? "" : " and ",
                       kinds.back());
  }

  OperatorSettings common_;
  SettingsOfEveryKind kinds_;
  const CLI::App* app_ = nullptr;  ///< knows which flags the user wrote
};

}  // namespace ritzflow
