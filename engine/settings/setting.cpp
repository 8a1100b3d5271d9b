#include "settings/setting.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace ritzflow {

std::string described(const About& about, const std::vector<std::string>& words) {
  std::string text;
  const bool few = about.only_for.size() <= 2;  // others are most operators
  if (few && !about.only_for.empty()) text += fmt::format("{}: ", fmt::join(about.only_for, ", "));
  if (!words.empty()) text += fmt::format("{}: ", fmt::join(words, " | "));
  text += about.doc;
  if (!about.unset.empty()) text += fmt::format(" (default: {})", about.unset);
  return text;
}

std::string flag_of(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

}  // namespace ritzflow
