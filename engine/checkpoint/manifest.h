#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ritzflow::checkpoint {

inline constexpr const char* kManifest = "manifest.json";
inline constexpr const char* kDecision = "decision.json";

/// Writes the identity of a run to `folder/manifest.json`; false where it stands there already.
bool write_manifest(const std::filesystem::path& folder, const nlohmann::json& identity);

/// Writes what a run decided by the state of its day to `folder/decision.json`, with a digest over it and the
/// folder's name.
void write_decision(const std::filesystem::path& folder, const nlohmann::json& decision);

/// The decision that stands there, or null. One that is damaged or of another folder is named in a warning.
nlohmann::json read_decision(const std::filesystem::path& folder);

/// One log line for each folder `<stage>-*` beside `folder` that holds a run of another identity: what
/// differs, field by field.
void note_other_runs(const std::filesystem::path& folder, const std::string& stage,
                     const nlohmann::json& identity);

/// "max_iters is 80 here and 60 there": one line per field that differs.
std::vector<std::string> differences(const nlohmann::json& here, const nlohmann::json& there);

}  // namespace ritzflow::checkpoint
