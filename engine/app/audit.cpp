#include "app/audit.h"

#include <set>

#include "artifact/tree.h"
#include "core/error.h"

namespace ritzflow::app {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kCircumstance = {"provenance.json", "ro-crate-metadata.json"};

artifact::FileTree artifacts_below(const fs::path& root) {
  artifact::FileTree tree = artifact::file_tree(root, {".h5", ".json"});
  std::erase_if(tree.files,
                [](const fs::path& name) { return kCircumstance.contains(name.filename().string()); });
  return tree;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    throw InputError(path.string() +
                     (fs::status_known(status) ? ": no such file or folder" : ": " + error.message()));
  if (!fs::is_regular_file(status) && !fs::is_directory(status))
    throw InputError(path.string() + ": is a pipe, a device or a socket, expected an artifact or a folder");
  return fs::is_directory(status);
}

std::set<fs::path> all_names(const artifact::FileTree& tree) {
  std::set<fs::path> names = tree.files;
  for (const auto& [name, reason] : tree.unreadable) names.insert(name);
  return names;
}

// Of a name that cannot be looked at in both trees.
artifact::Comparison one_sided(const fs::path& name, const artifact::FileTree& a,
                               const artifact::FileTree& b) {
  artifact::Comparison result;
  for (const artifact::FileTree* tree : {&a, &b}) {
    std::string reason = tree->why_unreadable(name);
    if (tree->files.contains(name)) reason = artifact::damage(tree->root / name);
    if (!reason.empty())
      result.agreement = artifact::Agreement::damaged;
    else if (!tree->files.contains(name))
      reason = "not in " + tree->root.string();
    if (!reason.empty()) result.notes.push_back(std::move(reason));
  }
  if (result.agreement != artifact::Agreement::damaged) result.agreement = artifact::Agreement::missing;
  return result;
}

artifact::Comparison compare_in(const artifact::FileTree& a, const artifact::FileTree& b,
                                const fs::path& name, double rtol) {
  const bool in_both = a.files.contains(name) && b.files.contains(name);
  artifact::Comparison result =
      in_both ? artifact::compare_artifacts(a.root / name, b.root / name, rtol) : one_sided(name, a, b);
  result.name = name.string();
  return result;
}

}  // namespace

Audit compare_trees(const fs::path& a, const fs::path& b, const AuditOptions& options,
                    const StageRun& stage) {
  const bool folders = is_folder(a);
  if (folders != is_folder(b))
    throw InputError("one of " + a.string() + " and " + b.string() + " is a folder, the other a file");
  if (!folders) return {{artifact::compare_artifacts(a, b, options.rtol)}};
  const artifact::FileTree first = artifacts_below(a), second = artifacts_below(b);
  std::set<fs::path> names = all_names(second);
  if (!options.subset) names.merge(all_names(first));
  if (names.empty())
    throw InputError(a.string() + " and " + b.string() + " hold no artifacts (*.h5, *.json)");
  Audit audit;
  Progress progress = stage.progress("artifacts", static_cast<int64_t>(names.size()));
  for (const auto& name : names) {
    progress.update(static_cast<int64_t>(audit.artifacts.size()));
    audit.artifacts.push_back(compare_in(first, second, name, options.rtol));
  }
  return audit;
}

}  // namespace ritzflow::app
