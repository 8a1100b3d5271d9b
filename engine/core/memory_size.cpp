#include "core/memory_size.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/error.h"

namespace ritzflow {

int64_t parse_memory(const std::string& flag, const std::string& text) {
  const auto refuse = [&]() {
    throw InputError(flag + " is '" + text + "', expected bytes or a size such as 512MiB or 4GiB");
  };
  size_t end = 0;
  double number = 0;
  try {
    number = std::stod(text, &end);
  } catch (const std::exception&) {
    refuse();
  }
  while (end < text.size() && text[end] == ' ') ++end;
  const std::string unit = text.substr(end);
  const std::vector<std::pair<std::string, double>> units = {
      {"", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  const auto found = std::find_if(units.begin(), units.end(), [&](const auto& u) { return u.first == unit; });
  if (found == units.end() || !(number > 0) || number * found->second >= 0x1p62) refuse();
  return static_cast<int64_t>(number * found->second);
}

}  // namespace ritzflow
