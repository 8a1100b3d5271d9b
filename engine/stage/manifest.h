#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ritzflow {

inline constexpr const char* kManifest = "manifest.json";

/// Writes the identity of a run to `folder/manifest.json`; false where it stands there already.
bool write_manifest(const std::filesystem::path& folder, const nlohmann::json& identity);

/// One log line for each folder `<stage>-*` beside `folder` that holds a run of another identity: what
/// differs, field by field.
void note_other_runs(const std::filesystem::path& folder, const std::string& stage,
                     const nlohmann::json& identity);

/// "max_iters is 80 here and 60 there": one line a field that differs.
std::vector<std::string> differences(const nlohmann::json& here, const nlohmann::json& there);

}  // namespace ritzflow
