#include "artifact/compare/compare.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "artifact/compare/compare_items.h"
#include "artifact/digest/content_digest.h"
#include "artifact/json_file.h"
#include "core/fault.h"
#include "core/sha256.h"

namespace ritzflow::artifact {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A checked HDF5 file; its content digest is the stored one only where the user block vouches for it.
struct OpenFile {
  explicit OpenFile(const fs::path& path) {
    CheckedBytes checked = check_bytes(path);
    block = checked.block;
    content_sha256 = std::move(checked.content_sha256);
    handle = open_hdf5(path);
    view = {handle.get(), path.string(), fs::file_size(path)};
    if (block == UserBlock::verified && H5Aexists(view.id, "content_sha256") > 0)
      content_sha256 = Item(view, "/", "content_sha256").read_text().front();
    if (content_sha256.empty()) content_sha256 = content_digest(view);
  }

  Handle handle;
  FileView view{};
  UserBlock block;
  std::string content_sha256;
};

std::string format_of(const FileView& view) {
  if (H5Aexists(view.id, "format") <= 0) return "no format";
  const Item format(view, "/", "format");
  return format.dtype().type_class == TypeClass::text ? format.read_text().front() : "no format";
}

std::string user_block(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string block(kUserBlockSize, '\0');
  file.read(block.data(), static_cast<std::streamsize>(block.size()));
  return block;
}

// Checked user blocks hold the digests of all bytes that follow.
bool same_bytes(const fs::path& a, UserBlock of_a, const fs::path& b, UserBlock of_b) {
  if (of_a != of_b) return false;
  return of_a == UserBlock::verified ? user_block(a) == user_block(b) : sha256_file(a) == sha256_file(b);
}

// Quantities such as operator_sha256 say what an artifact was made from, not what it says.
bool is_origin(const std::string& quantity) { return quantity.ends_with("_sha256"); }

// Sorts deviations, moves origins to the notes and decides.
void judge(std::vector<Deviation> deviations, double rtol, Comparison& result) {
  for (const auto& found : deviations)
    if (is_origin(found.quantity)) result.notes.push_back("made from other inputs: " + found.quantity);
  std::erase_if(deviations, [](const Deviation& d) { return is_origin(d.quantity); });
  std::stable_sort(deviations.begin(), deviations.end(),
                   [](const Deviation& a, const Deviation& b) { return a.relative > b.relative; });
  result.deviations = std::move(deviations);
  result.agreement = result.largest() <= rtol ? Agreement::within_tolerance : Agreement::different;
}

Comparison compare_hdf5(const fs::path& a, const fs::path& b, double rtol) {
  const OpenFile first(a), second(b);
  Comparison result;
  result.content_sha256 = first.content_sha256;
  if (const auto one = format_of(first.view), other = format_of(second.view); one != other) {
    result.agreement = Agreement::different;
    result.notes.push_back("different formats: " + one + " and " + other);
  } else if (first.content_sha256 != second.content_sha256)
    judge(item_deviations(first.view, second.view), rtol, result);
  else
    result.agreement =
        same_bytes(a, first.block, b, second.block) ? Agreement::same_bytes : Agreement::same_content;
  return result;
}

bool all_numbers(const json& list) {
  return list.is_array() &&
         std::all_of(list.begin(), list.end(), [](const json& x) { return x.is_number(); });
}

void compare_values(const std::string& quantity, const json& a, const json& b, std::vector<Deviation>& all);

void compare_objects(const std::string& prefix, const json& a, const json& b, std::vector<Deviation>& all) {
  for (const auto& [key, value] : a.items()) {
    if (b.contains(key))
      compare_values(prefix + key, value, b.at(key), all);
    else
      all.push_back(differing(prefix + key, "in the first only"));
  }
  for (const auto& [key, value] : b.items())
    if (!a.contains(key)) all.push_back(differing(prefix + key, "in the second only"));
}

void compare_values(const std::string& quantity, const json& a, const json& b, std::vector<Deviation>& all) {
  if (a == b) return;
  if (a.is_object() && b.is_object()) return compare_objects(quantity + "/", a, b, all);
  if (a.is_number() && b.is_number()) {
    LargestDifference largest({});
    largest.add({a.get<double>()}, {b.get<double>()});
    all.push_back(largest.result(quantity));
  } else if (all_numbers(a) && all_numbers(b) && a.size() == b.size()) {
    LargestDifference largest({static_cast<std::int64_t>(a.size())});
    largest.add(a.get<std::vector<double>>(), b.get<std::vector<double>>());
    all.push_back(largest.result(quantity));
  } else {
    all.push_back(differing(quantity, a.dump() + " and " + b.dump()));
  }
}

Comparison compare_json(const fs::path& a, const fs::path& b, double rtol) {
  const json first = read_json(a), second = read_json(b);
  Comparison result;
  result.content_sha256 = sha256_file(a);
  if (result.content_sha256 == sha256_file(b)) return result;
  std::vector<Deviation> deviations;
  if (first.is_object() && second.is_object())
    compare_objects("", first, second, deviations);
  else
    compare_values("value", first, second, deviations);
  judge(std::move(deviations), rtol, result);
  return result;
}

bool is_json(const fs::path& path) { return path.extension() == ".json"; }

// Of two files by their damage, or by what went wrong where each is whole by now.
Comparison damaged(std::vector<std::string> reasons, const std::string& otherwise) {
  std::erase(reasons, "");
  if (reasons.empty()) reasons.push_back(otherwise);
  Comparison result;
  result.agreement = Agreement::damaged;
  result.notes = std::move(reasons);
  return result;
}

}  // namespace

std::string agreement_name(Agreement agreement) {
  switch (agreement) {
    case Agreement::same_bytes:
      return "same bytes";
    case Agreement::same_content:
      return "same content";
    case Agreement::within_tolerance:
      return "within tolerance";
    case Agreement::different:
      return "different";
    case Agreement::missing:
      return "missing";
    case Agreement::damaged:
      return "damaged";
  }
  return "";
}

std::string damage(const fs::path& path) {
  return failure(
      [&] { is_json(path) ? static_cast<void>(read_json(path)) : static_cast<void>(OpenFile(path)); });
}

Comparison compare_artifacts(const fs::path& a, const fs::path& b, double rtol) {
  Comparison result;
  const std::string reason =
      failure([&] { result = is_json(a) ? compare_json(a, b, rtol) : compare_hdf5(a, b, rtol); });
  if (!reason.empty()) result = damaged({damage(a), damage(b)}, reason);
  result.name = a.filename().string();
  return result;
}

}  // namespace ritzflow::artifact
