#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ritzflow::artifact {

/// Writes `text` so that `out` appears whole or not at all (part file, fsync, rename). Throws IoError.
void write_text(const std::filesystem::path& out, const std::string& text);

/// Writes a flat JSON object the same way, one field per line, with a last field `content_sha256`: the
/// SHA-256 of the text without that field. Throws IoError.
void write_sealed_json(const std::filesystem::path& out, const nlohmann::ordered_json& record);

}  // namespace ritzflow::artifact
