#include "artifact/tree.h"

#include <system_error>

namespace ritzflow::artifact {
namespace {

namespace fs = std::filesystem;

class Walk {
 public:
  Walk(const fs::path& root, const std::set<std::string>& extensions) : extensions_(extensions) {
    tree_.root = root;
  }

  void folder(const fs::path& name) {
    const fs::path path = tree_.root / name;
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (!error && !around_.insert(real).second) return;  // a link to a folder that it lies in
    fs::directory_iterator entries;
    if (!error) entries = fs::directory_iterator(path, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) entry(name, *entries);
    if (error) tree_.unreadable[name] = path.string() + ": cannot be opened: " + error.message();
    around_.erase(real);
  }

  FileTree tree() && { return std::move(tree_); }

 private:
  void entry(const fs::path& folder_name, const fs::directory_entry& found) {
    const fs::path name = folder_name / found.path().filename();
    if (name.filename().string().starts_with('.')) return;
    std::error_code error;
    const fs::file_status status = found.status(error);
    if (fs::is_directory(status))
      folder(name);
    else if (found.is_symlink(error) && !fs::exists(status))
      tree_.unreadable[name] = found.path().string() + ": is a link to nothing that can be found";
    else if (extensions_.contains(name.extension().string()))
      tree_.files.insert(name);
  }

  const std::set<std::string>& extensions_;
  std::set<fs::path> around_;  // the folders that are being walked, one in another
  FileTree tree_;
};

}  // namespace

std::string FileTree::why_unreadable(const fs::path& name) const {
  for (fs::path part = name;; part = part.parent_path()) {
    const auto found = unreadable.find(part);
    if (found != unreadable.end()) return found->second;
    if (part.empty()) return "";
  }
}

FileTree file_tree(const fs::path& root, const std::set<std::string>& extensions) {
  Walk walk(root, extensions);
  walk.folder("");
  return std::move(walk).tree();
}

}  // namespace ritzflow::artifact
