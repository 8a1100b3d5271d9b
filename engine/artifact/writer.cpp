#include "artifact/writer.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "artifact/attributes.h"
#include "artifact/digest/content_digest.h"
#include "artifact/digest/file_digest.h"
#include "artifact/hdf5/objects.h"
#include "artifact/publish.h"
#include "artifact/schema/schema.h"
#include "artifact/writing.h"
#include "core/error.h"

namespace ritzflow::artifact {
namespace {

Handle create_file(const std::filesystem::path& part) {
  const Handle create = creation_list(H5P_FILE_CREATE);
  H5Pset_userblock(create.get(), kUserBlockSize);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18);
  H5Pset_file_locking(access.get(), true, true);
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  return Handle(H5Fcreate(part.c_str(), H5F_ACC_TRUNC, create.get(), access.get()), H5Fclose);
}

}  // namespace

ArtifactWriter::ArtifactWriter(std::filesystem::path out, std::string format)
    : out_(std::move(out)), part_(part_path(out_)), format_(std::move(format)) {
  prepare_hdf5();
  const std::string version = schema(format_).version;
  check_writable(out_, part_);
  file_ = create_file(part_);
  if (!file_) {
    const std::string reason = hdf5_reason();
    remove_file(part_);
    throw IoError(out_.string() + ": cannot be created: " + reason);
  }
  attribute("format", format_);
  attribute("format_version", version);
}

ArtifactWriter::~ArtifactWriter() { abandon(); }

void ArtifactWriter::abandon() noexcept {
  if (!file_) return;
  file_.reset();
  remove_file(part_);
}

void ArtifactWriter::attribute(const std::string& name, const Attribute& value) {
  attribute("/", name, value);
}

void ArtifactWriter::attribute(const std::string& object, const std::string& name, const Attribute& value) {
  if (!object_exists(file_.get(), object)) make_groups(object + "/");
  const Handle id(H5Oopen(file_.get(), object.c_str(), H5P_DEFAULT), H5Oclose);
  if (!id || !write_attribute(id.get(), name, value))
    throw_write_error(out_, "attribute '" + name + "' of '" + object + "'");
}

void ArtifactWriter::make_groups(const std::string& path) {
  const Handle create = creation_list(H5P_GROUP_CREATE);
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string group = path.substr(0, slash);
    if (object_exists(file_.get(), group)) continue;
    const Handle id(H5Gcreate2(file_.get(), group.c_str(), H5P_DEFAULT, create.get(), H5P_DEFAULT), H5Gclose);
    if (!id) throw_write_error(out_, "group '" + group + "'");
  }
}

void ArtifactWriter::provenance(const nlohmann::json& facts) {
  for (const auto& [key, value] : facts.items()) {
    const auto set = [&](const Attribute& plain) { attribute("provenance", key, plain); };
    if (value.is_string())
      set(value.template get<std::string>());
    else if (value.is_boolean())
      set(value.template get<bool>());
    else if (value.is_number_integer())
      set(value.template get<std::int64_t>());
    else if (value.is_number())
      set(value.template get<double>());
    else
      set(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));  // paths need not be UTF-8
  }
}

void ArtifactWriter::check_complete() const {
  for (const auto& stream : streams_)
    if (stream->next != stream->rows)
      throw std::logic_error("dataset '" + stream->path + "' has " + std::to_string(stream->next) + " of " +
                             std::to_string(stream->rows) + " rows");
  const FileView view{file_.get(), out_.string(), std::numeric_limits<std::uint64_t>::max()};
  const auto problems = departures(schema(format_), view);
  if (!problems.empty()) throw std::logic_error(out_.string() + " (" + format_ + "): " + problems.front());
}

std::string ArtifactWriter::commit() {
  if (!file_) throw std::logic_error(out_.string() + " is already written");
  try {
    check_complete();
    const FileView view{file_.get(), out_.string(), std::numeric_limits<std::uint64_t>::max()};
    const std::string digest = content_digest(view);
    attribute("content_sha256", digest);
    if (!file_.reset()) throw_write_error(out_, "the file");
    write_user_block(part_);
    publish(part_, out_);
    return digest;
  } catch (...) {
    file_.reset();
    remove_file(part_);
    throw;
  }
}

}  // namespace ritzflow::artifact
