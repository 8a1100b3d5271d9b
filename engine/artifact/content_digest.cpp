#include "artifact/content_digest.h"

#include <map>

#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow {
namespace {

bool is_volatile(const std::string& path) {
  return path == "/provenance" || path.rfind("/provenance/", 0) == 0;
}

// "alpha" -> "/alpha"; H5Ovisit names the root ".".
std::string absolute(const std::string& visited) { return visited == "." ? "/" : "/" + visited; }

struct Place {
  std::string object;
  std::string attribute;  // empty for a dataset's values
};

// Every object once, through hard links only, so that nothing outside the file is read.
std::map<std::string, Place> all_items(const FileView& file) {
  struct Visit {
    hid_t file;
    std::map<std::string, Place> items;
  } visit{file.id, {}};
  const auto collect = [](hid_t, const char* name, const H5O_info_t* info, void* data) -> herr_t {
    auto& found = *static_cast<Visit*>(data);
    const std::string object = absolute(name);
    if (info->type == H5O_TYPE_DATASET) found.items[object] = {object, ""};
    for (const auto& attribute : attribute_names(found.file, object))
      found.items[object + "@" + attribute] = {object, attribute};
    return 0;
  };
  if (H5Ovisit2(file.id, H5_INDEX_NAME, H5_ITER_INC, collect, &visit, H5O_INFO_BASIC) < 0)
    throw InputError(file.name + ": its objects cannot be listed: " + hdf5_reason());
  return std::move(visit.items);
}

void update_field(Sha256& sha, const std::string& text) { sha.update(text.c_str(), text.size() + 1); }

void update_text(Sha256& sha, const Item& item) {
  for (const auto& text : item.read_text()) update_field(sha, text);
}

void update(Sha256& sha, const std::string& key, const Item& item) {
  const std::string& name = item.dtype().name;
  update_field(sha, key);
  update_field(sha, name == "bfloat16" ? "float32" : name);
  update_field(sha, joined(item.shape(), ","));
  if (item.dtype().type_class == TypeClass::text)
    update_text(sha, item);
  else if (item.dtype().type_class != TypeClass::other)
    item.for_each_piece([&](std::span<const std::byte> bytes) { sha.update(bytes.data(), bytes.size()); });
}

}  // namespace

std::string content_digest(const FileView& file) {
  prepare_hdf5();
  Sha256 sha;
  Sha256 ignored;
  for (const auto& [key, place] : all_items(file)) {
    const bool counts = !is_volatile(place.object) && key != "/@content_sha256";
    update(counts ? sha : ignored, key,
           place.attribute.empty() ? Item(file, place.object) : Item(file, place.object, place.attribute));
  }
  return sha.hex();
}

}  // namespace ritzflow
