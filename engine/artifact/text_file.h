#pragma once
#include <filesystem>
#include <string>

namespace ritzflow {

/// Writes `text` so that `out` appears whole or not at all (part file, fsync, rename). Throws IoError.
void write_text(const std::filesystem::path& out, const std::string& text);

}  // namespace ritzflow
