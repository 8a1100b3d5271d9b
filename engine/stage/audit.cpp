#include "stage/audit.h"

#include <set>

#include "core/error.h"

namespace ritzflow {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kCircumstance = {"provenance.json", "ro-crate-metadata.json"};

bool is_artifact(const fs::path& path) {
  const bool known = path.extension() == ".h5" || path.extension() == ".json";
  return known && !kCircumstance.contains(path.filename().string());
}

// Names below the root, sorted.
std::set<fs::path> artifacts_below(const fs::path& root) {
  std::set<fs::path> names;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::recursive_directory_iterator();
       ++entry) {
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && is_artifact(entry->path())) {
      names.insert(entry->path().lexically_relative(root));
    }
  }
  return names;
}

void require_existing(const fs::path& path) {
  if (!fs::exists(path)) throw InputError(path.string() + ": no such file or folder");
  if (!fs::is_regular_file(path) && !fs::is_directory(path))
    throw InputError(path.string() + ": is a pipe, a device or a socket, expected an artifact or a folder");
}

Comparison missing(const fs::path& name, const fs::path& tree) {
  return {.name = name.string(),
          .agreement = Agreement::missing,
          .content_sha256 = "",
          .deviations = {},
          .notes = {"not in " + tree.string()}};
}

}  // namespace

Audit compare_trees(const fs::path& a, const fs::path& b, const AuditOptions& options,
                    const StageRun& stage) {
  require_existing(a);
  require_existing(b);
  if (fs::is_directory(a) != fs::is_directory(b))
    throw InputError("one of " + a.string() + " and " + b.string() + " is a folder, the other a file");
  if (!fs::is_directory(a)) return {{compare_artifacts(a, b, options.rtol)}};
  const auto first = artifacts_below(a), second = artifacts_below(b);
  std::set<fs::path> names = second;
  if (!options.subset) names.insert(first.begin(), first.end());
  if (names.empty())
    throw InputError(a.string() + " and " + b.string() + " hold no artifacts (*.h5, *.json)");
  Audit audit;
  Progress progress = stage.progress("artifacts", static_cast<int64_t>(names.size()));
  for (const auto& name : names) {
    progress.update(static_cast<int64_t>(audit.artifacts.size()));
    if (!first.contains(name) || !second.contains(name)) {
      audit.artifacts.push_back(missing(name, first.contains(name) ? b : a));
      continue;
    }
    audit.artifacts.push_back(compare_artifacts(a / name, b / name, options.rtol));
    audit.artifacts.back().name = name.string();
  }
  return audit;
}

}  // namespace ritzflow
