#include "artifact/hdf5/objects.h"

#include <algorithm>

#include "core/error.h"

namespace ritzflow::artifact {
namespace {

// "alpha" -> "/alpha"; H5Ovisit names the root ".".
std::string absolute(const std::string& visited) { return visited == "." ? "/" : "/" + visited; }

}  // namespace

std::string attribute_path(const std::string& object, const std::string& attribute) {
  return object == "/" ? attribute : object + "@" + attribute;
}

bool object_exists(hid_t file, const std::string& path) {
  prepare_hdf5();
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (H5Lexists(file, path.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
  if (path == "/") return true;
  return H5Lexists(file, path.c_str(), H5P_DEFAULT) > 0 &&
         H5Oexists_by_name(file, path.c_str(), H5P_DEFAULT) > 0;
}

bool is_dataset(hid_t file, const std::string& path) {
  if (!object_exists(file, path)) return false;
  const Handle object(H5Oopen(file, path.c_str(), H5P_DEFAULT), H5Oclose);
  return object && H5Iget_type(object.get()) == H5I_DATASET;
}

std::vector<std::string> group_members(hid_t file, const std::string& group) {
  std::vector<std::string> names;
  if (!object_exists(file, group)) return names;
  const Handle id(H5Gopen2(file, group.c_str(), H5P_DEFAULT), H5Gclose);
  if (!id) return names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  H5Literate(id.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> attribute_names(hid_t file, const std::string& object) {
  std::vector<std::string> names;
  const Handle id(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose);
  if (!id) return names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  H5Aiterate2(id.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names);
  std::sort(names.begin(), names.end());
  return names;
}

std::map<std::string, ItemPlace> all_items(hid_t file, const std::string& name) {
  struct Visit {
    hid_t file;
    std::map<std::string, ItemPlace> items;
  } visit{file, {}};
  const auto collect = [](hid_t, const char* visited, const H5O_info_t* info, void* data) -> herr_t {
    auto& found = *static_cast<Visit*>(data);
    const std::string object = absolute(visited);
    if (info->type == H5O_TYPE_DATASET) found.items[object] = {object, ""};
    for (const auto& attribute : attribute_names(found.file, object))
      found.items[object + "@" + attribute] = {object, attribute};
    return 0;
  };
  if (H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, collect, &visit, H5O_INFO_BASIC) < 0)
    throw InputError(name + ": its objects cannot be listed: " + hdf5_reason());
  return std::move(visit.items);
}

bool is_volatile(const std::string& path) {
  return path == "/provenance" || path.rfind("/provenance/", 0) == 0;
}

}  // namespace ritzflow::artifact
