#include "artifact/compare/compare_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "artifact/hdf5/blocks.h"
#include "artifact/hdf5/objects.h"

namespace ritzflow::artifact {
namespace {

constexpr std::int64_t kBlockElements = std::int64_t{1} << 20;

// "/alpha" -> "alpha", "/@k" -> "k", "/layers/a@p" -> "layers/a@p".
std::string quantity_of(const ItemPlace& place) {
  const std::string object = place.object == "/" ? "/" : place.object.substr(1);
  return place.attribute.empty() ? object : attribute_path(object, place.attribute);
}

Item open(const FileView& file, const ItemPlace& place) {
  return place.attribute.empty() ? Item(file, place.object) : Item(file, place.object, place.attribute);
}

bool is_number(const Item& item) { return accepts(TypeClass::number, item.dtype().type_class); }

std::vector<double> read_doubles(const Item& item, const std::vector<std::int64_t>& start,
                                 const std::vector<std::int64_t>& extent) {
  std::vector<double> values(static_cast<std::size_t>(product_of(extent)));
  if (item.dtype().type_class != TypeClass::boolean) {
    item.read_block(native_type<double>(), start, extent, values.data());
    return values;
  }
  std::vector<std::int8_t> bytes(values.size());
  item.read_block(bool_type().get(), start, extent, bytes.data());
  std::copy(bytes.begin(), bytes.end(), values.begin());
  return values;
}

Deviation number_deviation(const std::string& quantity, const Item& a, const Item& b) {
  LargestDifference largest(a.shape());
  if (a.count() > 0) {
    for_each_block(a.shape(), kBlockElements, [&](const auto& start, const auto& extent) {
      largest.add(read_doubles(a, start, extent), read_doubles(b, start, extent));
    });
  }
  return largest.result(quantity);
}

Deviation text_deviation(const std::string& quantity, const Item& a, const Item& b) {
  const auto first = a.read_text(), second = b.read_text();
  for (std::size_t i = 0; i < first.size(); ++i)
    if (first[i] != second[i])
      return differing(quantity, fmt::format("[{}]: '{}' and '{}'", i, first[i], second[i]));
  return {quantity};
}

Deviation deviation(const std::string& quantity, const Item& a, const Item& b) {
  if (a.shape() != b.shape())
    return differing(quantity, "shape " + shape_text(a.shape()) + " and " + shape_text(b.shape()));
  if (is_number(a) && is_number(b)) return number_deviation(quantity, a, b);
  if (a.dtype().name != b.dtype().name)
    return differing(quantity, "type " + a.dtype().name + " and " + b.dtype().name);
  return a.dtype().type_class == TypeClass::text ? text_deviation(quantity, a, b) : Deviation{quantity};
}

std::map<std::string, ItemPlace> compared_items(const FileView& file) {
  auto items = all_items(file.id, file.name);
  std::erase_if(items, [](const auto& item) {
    return is_volatile(item.second.object) || item.first == "/@content_sha256";
  });
  return items;
}

}  // namespace

void LargestDifference::add(const std::vector<double>& a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i, ++next_) {
    for (const double value : {a[i], b[i]})
      if (std::isfinite(value)) scale_ = std::max(scale_, std::abs(value));
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double difference = std::abs(a[i] - b[i]);
    const double counted = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
    if (counted <= largest_) continue;
    largest_ = counted;
    const std::string place = shape_.empty() ? "" : index_text(next_, shape_) + ": ";
    where_ = place + fmt::format("{} and {}", a[i], b[i]);
  }
}

Deviation LargestDifference::result(const std::string& quantity) const {
  return {quantity, largest_, largest_ > 0 ? largest_ / scale_ : 0, where_};
}

Deviation differing(const std::string& quantity, const std::string& what) {
  return {quantity, 0, std::numeric_limits<double>::infinity(), what};
}

std::vector<Deviation> item_deviations(const FileView& a, const FileView& b) {
  const auto first = compared_items(a), second = compared_items(b);
  std::vector<Deviation> all;
  for (const auto& [key, place] : first) {
    if (!second.contains(key)) {
      all.push_back(differing(quantity_of(place), "in the first only"));
      continue;
    }
    const Deviation found = deviation(quantity_of(place), open(a, place), open(b, second.at(key)));
    if (found.relative > 0) all.push_back(found);
  }
  for (const auto& [key, place] : second)
    if (!first.contains(key)) all.push_back(differing(quantity_of(place), "in the second only"));
  return all;
}

}  // namespace ritzflow::artifact
