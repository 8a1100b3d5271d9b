#include "artifact/validate.h"

#include "artifact/digest/content_digest.h"
#include "artifact/schema/schema.h"
#include "core/fault.h"

namespace ritzflow::artifact {
namespace {

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

std::string unknown_format(const FileView& file, const std::string& format) {
  if (H5Aexists(file.id, "format") <= 0)
    return "attribute 'format' is missing, expected the name of a format such as 'ritzflow-data'";
  return "attribute 'format' is '" + format + "', which is not a format of ritzflow";
}

void check_schema(const FileView& file, Validation& result) {
  result.format = root_text(file, "format");
  result.format_version = root_text(file, "format_version");
  const Schema* known = known_schema(result.format);
  if (known == nullptr) {
    result.problems.push_back({unknown_format(file, result.format)});
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

// The child reads the contents while the bytes are hashed here: the disk is read once.
CheckedBytes inspect(const std::filesystem::path& path, Validation& result) {
  ScanInChild scan(path);
  const UserBlock block = check_user_block(path);
  const ContentScan content = scan.result();
  result.content_sha256 = content.sha256;
  const Handle id = open_hdf5(path);
  const FileView file{id.get(), path.string(), std::filesystem::file_size(path)};
  check_schema(file, result);
  check_digest(file, block, result);
  for (const auto& text : content.not_finite) result.problems.push_back({text});
  return {block, content.sha256};
}

}  // namespace

Validation check_file(const std::filesystem::path& path) {
  Validation result;
  const std::string text = failure([&] {
    const CheckedBytes checked = inspect(path, result);
    if (!result.problems.empty()) return;
    result.problems = check_identities(ArtifactReader(path, result.format, checked));
  });
  const std::string prefix = path.string() + ": ";
  if (!text.empty())
    result.problems.push_back({text.starts_with(prefix) ? text.substr(prefix.size()) : text});
  return result;
}

std::vector<Problem> validate(const std::filesystem::path& path) { return check_file(path).problems; }

}  // namespace ritzflow::artifact
