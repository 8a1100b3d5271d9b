#include "core/memory_size.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"

namespace ritzflow {

namespace {

// Nothing where the text is not a size.
std::optional<int64_t> bytes_of(const std::string& text) {
  size_t end = 0;
  double number = 0;
  try {
    number = std::stod(text, &end);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  while (end < text.size() && text[end] == ' ') ++end;
  const std::string unit = text.substr(end);
  const std::vector<std::pair<std::string, double>> units = {
      {"", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  const auto found = std::find_if(units.begin(), units.end(), [&](const auto& u) { return u.first == unit; });
  if (found == units.end() || !(number > 0) || number * found->second >= 0x1p62) return std::nullopt;
  return static_cast<int64_t>(number * found->second);
}

}  // namespace

std::string not_a_size(const std::string& text) {
  if (bytes_of(text)) return {};
  return "is '" + text + "', expected bytes or a size such as 512MiB or 4GiB";
}

int64_t parse_memory(const std::string& flag, const std::string& text) {
  const std::optional<int64_t> bytes = bytes_of(text);
  if (!bytes) throw InputError(flag + " " + not_a_size(text));
  return *bytes;
}

}  // namespace ritzflow
