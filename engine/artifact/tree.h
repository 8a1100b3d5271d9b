#pragma once
#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace ritzflow::artifact {

/// Files below a folder, by their path below it; hidden files and folders are left out.
struct FileTree {
  std::filesystem::path root;
  std::set<std::filesystem::path> files;                    ///< including pipes and devices
  std::map<std::filesystem::path, std::string> unreadable;  ///< folders, and links to nothing: the reason

  /// Why nothing can be said of a path below the root: it, or a folder around it, is unreadable. Else empty.
  std::string why_unreadable(const std::filesystem::path& name) const;
};

/// The tree below `root` of all files whose extension is one of `extensions`. Links to folders are followed,
/// but not in circles.
FileTree file_tree(const std::filesystem::path& root, const std::set<std::string>& extensions);

}  // namespace ritzflow::artifact
