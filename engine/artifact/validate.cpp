#include "artifact/validate.h"

#include <cmath>
#include <cstring>
#include <optional>

#include "artifact/content_digest.h"
#include "artifact/file_digest.h"
#include "artifact/objects.h"
#include "artifact/schema.h"
#include "core/error.h"

namespace ritzflow {
namespace {

template <class Real>
std::optional<std::size_t> first_non_finite(std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(Real); ++i) {
    Real value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof(Real), sizeof(Real));
    if (!std::isfinite(value)) return i;
  }
  return std::nullopt;
}

void check_finite(const Item& item, const std::string& path, std::vector<Problem>& problems) {
  const bool wide = item.dtype().name == "float64";
  const bool narrow = item.dtype().name == "float32" || item.dtype().name == "bfloat16";
  if (!wide && !narrow) return;
  std::size_t offset = 0;
  std::optional<std::size_t> found;
  item.for_each_piece([&](std::span<const std::byte> bytes) {
    if (found) return;
    const auto at = wide ? first_non_finite<double>(bytes) : first_non_finite<float>(bytes);
    if (at) found = offset + *at;
    offset += bytes.size() / (wide ? sizeof(double) : sizeof(float));
  });
  if (found)
    problems.push_back(
        {"dataset '" + path + "' has a NaN or an infinity at element " + std::to_string(*found)});
}

// Every dataset below `group`, whether the schema names it or not, but /provenance.
void check_finite_below(const FileView& file, const std::string& group, std::vector<Problem>& problems) {
  for (const auto& name : group_members(file.id, group)) {
    const std::string path = group == "/" ? name : group + "/" + name;
    if (path == "provenance" || !object_exists(file.id, path)) continue;
    if (is_dataset(file.id, path))
      check_finite(Item(file, path), path, problems);
    else
      check_finite_below(file, path, problems);
  }
}

const Schema* known_schema(const std::string& format) {
  for (const auto& candidate : schemas())
    if (candidate.format == format) return &candidate;
  return nullptr;
}

std::string root_text(const FileView& file, const std::string& name) {
  if (H5Aexists(file.id, name.c_str()) <= 0) return "";
  const Item item(file, "/", name);
  return item.dtype().type_class == TypeClass::text && item.count() == 1 ? item.read_text().front() : "";
}

void check_schema(const FileView& file, Validation& result) {
  result.format = root_text(file, "format");
  result.format_version = root_text(file, "format_version");
  const Schema* known = known_schema(result.format);
  if (known == nullptr) {
    result.problems.push_back(
        {"attribute 'format' is '" + result.format + "', which is no format of ritzflow"});
    return;
  }
  for (auto& problem : departures(*known, file)) result.problems.push_back({std::move(problem)});
}

void check_digest(const FileView& file, UserBlock block, Validation& result) {
  const std::string stored = root_text(file, "content_sha256");
  if (block == UserBlock::absent)
    result.notes.push_back("no digest in a user block: made by another program");
  if (stored.empty()) result.notes.push_back("no content_sha256: its data cannot be checked for damage");
  if (!stored.empty() && stored != result.content_sha256)
    result.problems.push_back({"attribute 'content_sha256' is " + stored + ", the contents have " +
                               result.content_sha256 + ": changed or damaged"});
}

void inspect(const std::filesystem::path& path, Validation& result) {
  const UserBlock block = check_user_block(path);
  if (block == UserBlock::absent) result.content_sha256 = content_digest_in_child(path.string());
  const Handle id = open_hdf5(path);
  const FileView file{id.get(), path.string(), std::filesystem::file_size(path)};
  if (block == UserBlock::verified) result.content_sha256 = content_digest(file);
  check_schema(file, result);
  check_digest(file, block, result);
  check_finite_below(file, "/", result.problems);
}

}  // namespace

Validation check_file(const std::filesystem::path& path) {
  Validation result;
  try {
    inspect(path, result);
    if (!result.problems.empty()) return result;
    const ArtifactReader reader(path, result.format);
    result.problems = check_identities(reader);
  } catch (const InputError& error) {
    const std::string text = error.what();
    const std::string prefix = path.string() + ": ";
    result.problems.push_back({text.starts_with(prefix) ? text.substr(prefix.size()) : text});
  }
  return result;
}

std::vector<Problem> validate(const std::filesystem::path& path) { return check_file(path).problems; }

}  // namespace ritzflow
