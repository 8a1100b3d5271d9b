#include "stage/manifest.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <set>

#include "artifact/json_file.h"
#include "artifact/text_file.h"
#include "core/error.h"

namespace ritzflow {
namespace {

namespace fs = std::filesystem;

// What is damaged or missing reads as null.
nlohmann::json read_manifest(const fs::path& folder) {
  try {
    return read_json(folder / kManifest);
  } catch (const InputError&) {
    return nullptr;
  }
}

std::string text(const nlohmann::json& object, const std::string& key) {
  return object.contains(key) ? object.at(key).dump() : "absent";
}

}  // namespace

bool write_manifest(const fs::path& folder, const nlohmann::json& identity) {
  if (read_manifest(folder) == identity) return false;
  write_text(folder / kManifest, identity.dump(2) + "\n");
  return true;
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
    const nlohmann::json there = read_manifest(other);
    if (!there.is_object()) continue;
    spdlog::info("the checkpoint {} is of another run: {}; this one starts anew beside it", other.string(),
                 fmt::join(differences(identity, there), ", "));
  }
}

}  // namespace ritzflow
