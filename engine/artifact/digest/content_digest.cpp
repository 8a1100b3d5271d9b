#include "artifact/digest/content_digest.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <optional>

#include "artifact/hdf5/objects.h"
#include "core/error.h"
#include "core/sha256.h"

namespace ritzflow::artifact {
namespace {

void update_field(Sha256& sha, const std::string& text) { sha.update(text.c_str(), text.size() + 1); }

void update_text(Sha256& sha, const Item& item) {
  for (const auto& text : item.read_text()) update_field(sha, text);
}

using Look = std::function<void(std::span<const std::byte>)>;

void update(Sha256& sha, const std::string& key, const Item& item, const Look& look) {
  const std::string& name = item.dtype().name;
  update_field(sha, key);
  update_field(sha, name == "bfloat16" ? "float32" : name);
  update_field(sha, joined(item.shape(), ","));
  if (item.dtype().type_class == TypeClass::text)
    update_text(sha, item);
  else if (item.dtype().type_class != TypeClass::other)
    item.for_each_piece([&](std::span<const std::byte> bytes) {
      sha.update(bytes.data(), bytes.size());
      look(bytes);
    });
}

// Exponents of ones: a NaN or an infinity. Without a branch a value, so that the compiler vectorises it.
template <class Bits>
bool any_not_finite(std::span<const std::byte> bytes) {
  constexpr auto kExponent = static_cast<Bits>(sizeof(Bits) == 8 ? 0x7ff0000000000000U : 0x7f800000U);
  Bits found = 0;
  for (std::size_t i = 0; i + sizeof(Bits) <= bytes.size(); i += sizeof(Bits)) {
    Bits value;
    std::memcpy(&value, bytes.data() + i, sizeof value);
    found |= (value & kExponent) == kExponent ? 1 : 0;
  }
  return found != 0;
}

template <class Real, class Bits>
std::optional<std::size_t> first_not_finite(std::span<const std::byte> bytes) {
  if (!any_not_finite<Bits>(bytes)) return std::nullopt;
  for (std::size_t i = 0;; ++i) {
    Real value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    if (!std::isfinite(value)) return i;
  }
}

// Looks through the pieces of one dataset.
class FiniteCheck {
 public:
  explicit FiniteCheck(const Dtype& dtype)
      : wide_(dtype.name == "float64"),
        applies_(wide_ || dtype.name == "float32" || dtype.name == "bfloat16") {}

  void look(std::span<const std::byte> bytes) {
    if (!applies_ || found_) return;
    const auto at = wide_ ? first_not_finite<double, std::uint64_t>(bytes)
                          : first_not_finite<float, std::uint32_t>(bytes);
    if (at) found_ = offset_ + *at;
    offset_ += bytes.size() / (wide_ ? sizeof(double) : sizeof(float));
  }
  const std::optional<std::size_t>& found() const { return found_; }

 private:
  bool wide_, applies_;
  std::size_t offset_ = 0;
  std::optional<std::size_t> found_;
};

Item item_at(const FileView& file, const ItemPlace& place) {
  return place.attribute.empty() ? Item(file, place.object) : Item(file, place.object, place.attribute);
}

// Each item that counts, and each other one only read.
template <class Visit>
std::string digest_of_items(const FileView& file, const Visit& visit) {
  prepare_hdf5();
  Sha256 sha, ignored;
  for (const auto& [key, place] : all_items(file.id, file.name)) {
    const bool counts = !is_volatile(place.object) && key != "/@content_sha256";
    visit(counts ? sha : ignored, key, place, counts);
  }
  return sha.hex();
}

}  // namespace

std::string content_digest(const FileView& file) {
  return digest_of_items(file, [&](Sha256& sha, const std::string& key, const ItemPlace& place, bool) {
    update(sha, key, item_at(file, place), [](auto) {});
  });
}

ContentScan scan_content(const FileView& file) {
  ContentScan scan;
  scan.sha256 = digest_of_items(file, [&](Sha256& sha, const std::string& key, const ItemPlace& place,
                                          bool counts) {
    const Item item = item_at(file, place);
    FiniteCheck finite(item.dtype());
    update(sha, key, item, [&](auto bytes) { finite.look(bytes); });
    if (counts && place.attribute.empty() && finite.found())
      scan.not_finite.push_back("dataset '" + place.object.substr(1) +
                                "' has a NaN or an infinity at element " + std::to_string(*finite.found()));
  });
  return scan;
}

CheckedBytes check_bytes(const std::filesystem::path& path) {
  CheckedBytes checked{check_user_block(path), ""};
  if (checked.block == UserBlock::absent) checked.content_sha256 = ScanInChild(path).result().sha256;
  return checked;
}

}  // namespace ritzflow::artifact
