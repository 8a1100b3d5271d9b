#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ritzflow::artifact {

/// The value of JSON text. Throws InputError that begins with `where` for text that is not JSON, a number
/// beyond float64, and more than 100 levels: whatever walks the value (a copy, dump()) recurses over them.
nlohmann::json parse_json(const std::string& text, const std::string& where);

/// The value in a file of the user's or of an earlier run. Throws InputError that names it.
nlohmann::json read_json(const std::filesystem::path& path);

}  // namespace ritzflow::artifact
