#include "app/settings_flags.h"

#include <fmt/format.h>

#include <cmath>

namespace ritzflow::app {

CLI::Validator bounds_of(const About& about, bool whole) {
  if (!about.one_of.empty()) return number_among(about.one_of);
  if (whole) {
    const auto least = std::isfinite(about.least) ? static_cast<int64_t>(about.least) : INT64_MIN;
    const auto most = std::isfinite(about.below) ? static_cast<int64_t>(about.below) - 1 : INT64_MAX;
    return integer_from(least, most);
  }
  return std::isfinite(about.above) ? number_between(about.above, about.below) : number_from(about.least);
}

std::string size_text(MemorySize size) {
  for (const auto& [unit, shift] : {std::pair{"GiB", 30}, {"MiB", 20}, {"KiB", 10}})
    if (size.bytes > 0 && size.bytes % (int64_t{1} << shift) == 0)
      return fmt::format("{}{}", size.bytes >> shift, unit);
  return std::to_string(size.bytes);
}

}  // namespace ritzflow::app
