#include "checkpoint/manifest.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <set>

#include "artifact/json_file.h"
#include "artifact/text_file.h"
#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow::checkpoint {
namespace {

namespace fs = std::filesystem;

// What is damaged or missing reads as null.
nlohmann::json read_or_null(const fs::path& path) {
  try {
    return artifact::read_json(path);
  } catch (const InputError&) {
    return nullptr;
  }
}

// A flipped digit would make another run of it: the digest tells.
nlohmann::json sealed(const fs::path& folder, const nlohmann::json& decision) {
  return {{"decision", decision}, {"sha256", sha256_hex(folder.filename().string() + decision.dump())}};
}

std::string text(const nlohmann::json& object, const std::string& key) {
  return object.contains(key) ? object.at(key).dump() : "absent";
}

}  // namespace

bool write_manifest(const fs::path& folder, const nlohmann::json& identity) {
  if (read_or_null(folder / kManifest) == identity) return false;
  artifact::write_text(folder / kManifest, identity.dump(2) + "\n");
  return true;
}

void write_decision(const fs::path& folder, const nlohmann::json& decision) {
  artifact::write_text(folder / kDecision, sealed(folder, decision).dump(2) + "\n");
}

nlohmann::json read_decision(const fs::path& folder) {
  const fs::path path = folder / kDecision;
  if (!fs::exists(path)) return nullptr;
  const nlohmann::json stored = read_or_null(path);
  if (stored.is_object() && stored.contains("decision") && stored == sealed(folder, stored.at("decision")))
    return stored.at("decision");
  spdlog::warn("checkpoint: {} is damaged; what it held is decided again", path.string());
  return nullptr;
}

std::vector<std::string> differences(const nlohmann::json& here, const nlohmann::json& there) {
  std::set<std::string> keys;
  for (const auto* object : {&here, &there}) {
    for (const auto& [key, value] : object->items()) keys.insert(key);
  }
  std::vector<std::string> lines;
  for (const auto& key : keys) {
    const std::string a = text(here, key), b = text(there, key);
    if (a != b) lines.push_back(fmt::format("{} is {} here and {} there", key, a, b));
  }
  return lines;
}

void note_other_runs(const fs::path& folder, const std::string& stage, const nlohmann::json& identity) {
  std::set<fs::path> others;
  for (const auto& entry : fs::directory_iterator(folder.parent_path())) {
    if (entry.path() != folder && entry.path().filename().string().starts_with(stage + "-"))
      others.insert(entry.path());
  }
  for (const auto& other : others) {
    const nlohmann::json there = read_or_null(other / kManifest);
    if (!there.is_object()) continue;
    spdlog::info("the checkpoint {} belongs to another run: {}; this one starts over beside it",
                 other.string(), fmt::join(differences(identity, there), ", "));
  }
}

}  // namespace ritzflow::checkpoint
