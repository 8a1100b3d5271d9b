#pragma once
#include <map>
#include <string>
#include <vector>

#include "artifact/hdf5/handle.h"

namespace ritzflow::artifact {

/// "k" of the root, "layers/fc1@parameters" of another object: how errors and schemas name an attribute.
std::string attribute_path(const std::string& object, const std::string& attribute);

/// Is there an object of this path? A dangling link is none.
bool object_exists(hid_t file, const std::string& path);
bool is_dataset(hid_t file, const std::string& path);
/// Names of the members of a group, sorted; empty where there is no such group.
std::vector<std::string> group_members(hid_t file, const std::string& group);
/// Names of the attributes of an object, sorted.
std::vector<std::string> attribute_names(hid_t file, const std::string& object);

/// Where an item lies: a dataset's values, or an attribute of an object.
struct ItemPlace {
  std::string object;     ///< "/alpha"; "/" is the root
  std::string attribute;  ///< empty for a dataset's values
};

/// Every dataset ("/alpha") and attribute ("/@k", "/alpha@unit") of a file by its key, each object once and
/// through hard links only, so that nothing outside the file is read. Throws InputError; `name` is the file's
/// in it.
std::map<std::string, ItemPlace> all_items(hid_t file, const std::string& name);

/// Whether an object is /provenance or below it: what may differ between two honest runs.
bool is_volatile(const std::string& object);

}  // namespace ritzflow::artifact
