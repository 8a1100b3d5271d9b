#include "artifact/json_file.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"

namespace ritzflow::artifact {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kDeepest = 100;
constexpr std::uintmax_t kLargest = std::uintmax_t{64} << 20;

std::string line_of(const std::string& text, std::size_t byte) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(byte, text.size()));
  return std::to_string(1 + std::count(text.begin(), end, '\n'));
}

// Opening a pipe waits for a writer, and a device may never end.
void require_readable(const fs::path& path) {
  std::error_code missing;
  if (!fs::is_regular_file(path, missing) || ::access(path.c_str(), R_OK) != 0)
    throw InputError(path.string() + ": cannot be read; expected a regular file of JSON text");
  if (const auto size = fs::file_size(path); size > kLargest)
    throw InputError(path.string() + ": has " + std::to_string(size) +
                     " bytes, expected JSON text of at most " + std::to_string(kLargest >> 20) + " MiB");
}

}  // namespace

json parse_json(const std::string& text, const std::string& where) {
  const auto check_depth = [&](int depth, json::parse_event_t, const json&) {
    if (depth >= kDeepest)
      throw InputError(where + ": is nested more than " + std::to_string(kDeepest) + " levels deep");
    return true;
  };
  try {
    return json::parse(text, check_depth);
  } catch (const json::parse_error& error) {
    throw InputError(where + ": is not valid JSON: see line " + line_of(text, error.byte));
  } catch (const json::out_of_range&) {
    throw InputError(where + ": is not valid JSON: a number is beyond the range of float64");
  }
}

json read_json(const fs::path& path) {
  require_readable(path);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return parse_json(text.str(), path.string());
}

}  // namespace ritzflow::artifact
