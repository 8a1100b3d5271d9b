#include "artifact/content_digest.h"

#include <map>

#include "artifact/objects.h"
#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow {
namespace {

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
  for (const auto& [key, place] : all_items(file.id, file.name)) {
    const bool counts = !is_volatile(place.object) && key != "/@content_sha256";
    update(counts ? sha : ignored, key,
           place.attribute.empty() ? Item(file, place.object) : Item(file, place.object, place.attribute));
  }
  return sha.hex();
}

}  // namespace ritzflow
