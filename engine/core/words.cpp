#include "core/words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/nearest.h"

namespace ritzflow {

std::string not_one_of(const std::string& text, const std::vector<std::string>& choices) {
  if (std::ranges::find(choices, text) != choices.end()) return {};
  const std::string hint = choices.size() > 2 ? did_you_mean(text, choices) : "";
  return fmt::format("is '{}', expected one of {}{}", text, fmt::join(choices, ", "), hint);
}

}  // namespace ritzflow
