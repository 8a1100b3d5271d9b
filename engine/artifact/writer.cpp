#include "artifact/writer.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "artifact/attributes.h"
#include "artifact/content_digest.h"
#include "artifact/file_digest.h"
#include "artifact/objects.h"
#include "artifact/publish.h"
#include "artifact/schema.h"
#include "core/error.h"

namespace ritzflow {
namespace {

constexpr std::int64_t kMaxChunkElements = std::int64_t{1} << 20;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
  throw IoError(file.string() + ": cannot write " + what + ": " + hdf5_reason());
}

// Object times off: two honest runs give the same bytes.
Handle creation_list(hid_t list_class) {
  Handle list(H5Pcreate(list_class), H5Pclose);
  H5Pset_obj_track_times(list.get(), false);
  return list;
}

Handle create_file(const std::filesystem::path& part) {
  const Handle create = creation_list(H5P_FILE_CREATE);
  H5Pset_userblock(create.get(), kUserBlockSize);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18);
  H5Pset_file_locking(access.get(), true, true);
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  return Handle(H5Fcreate(part.c_str(), H5F_ACC_TRUNC, create.get(), access.get()), H5Fclose);
}

template <class T>
hid_t file_type();
template <>
hid_t file_type<float>() {
  return H5T_IEEE_F32LE;
}
template <>
hid_t file_type<double>() {
  return H5T_IEEE_F64LE;
}
template <>
hid_t file_type<std::int64_t>() {
  return H5T_STD_I64LE;
}
template <>
hid_t file_type<std::uint8_t>() {
  return H5T_STD_U8LE;
}

std::int64_t element_count(const std::vector<std::int64_t>& dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (dim < 0) throw std::logic_error("a dimension is negative");
    count *= dim;
  }
  return count;
}

Handle make_space(const std::vector<std::int64_t>& dims) {
  if (dims.empty()) return Handle(H5Screate(H5S_SCALAR), H5Sclose);
  const std::vector<hsize_t> size(dims.begin(), dims.end());
  return Handle(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
}

// The longest piece of a row of at most 2^20 elements that wastes least at the row's end.
std::int64_t chunk_length(std::int64_t cols) {
  const std::int64_t pieces = (cols + kMaxChunkElements - 1) / kMaxChunkElements;
  return pieces == 0 ? 0 : (cols + pieces - 1) / pieces;
}

// Closing is part of writing: HDF5 holds small data back until then. Null data: nothing to write.
void write_whole(Handle dataset, hid_t type, const void* data, const std::filesystem::path& file,
                 const std::string& path) {
  const bool written =
      data == nullptr || H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  if (!written || !dataset.reset()) fail(file, "dataset '" + path + "'");
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
    fail(out_, "attribute '" + name + "' of '" + object + "'");
}

void ArtifactWriter::make_groups(const std::string& path) {
  const Handle create = creation_list(H5P_GROUP_CREATE);
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string group = path.substr(0, slash);
    if (object_exists(file_.get(), group)) continue;
    const Handle id(H5Gcreate2(file_.get(), group.c_str(), H5P_DEFAULT, create.get(), H5P_DEFAULT), H5Gclose);
    if (!id) fail(out_, "group '" + group + "'");
  }
}

Handle ArtifactWriter::create(const std::string& path, hid_t type, const std::vector<std::int64_t>& dims,
                              std::int64_t chunk) {
  make_groups(path);
  const Handle properties = creation_list(H5P_DATASET_CREATE);
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  if (chunk > 0) {
    const hsize_t size[2] = {1, static_cast<hsize_t>(chunk)};
    H5Pset_chunk(properties.get(), 2, size);
    // The cache holds one chunk, so that a row is written once and its last chunk is padded with zeros.
    H5Pset_chunk_cache(access.get(), 7, size[1] * H5Tget_size(type), 1.0);
  }
  Handle dataset(H5Dcreate2(file_.get(), path.c_str(), type, make_space(dims).get(), H5P_DEFAULT,
                            properties.get(), access.get()),
                 H5Dclose);
  if (!dataset) fail(out_, "dataset '" + path + "'");
  return dataset;
}

template <Element T>
void ArtifactWriter::dataset(const std::string& path, std::span<const T> values,
                             const std::vector<std::int64_t>& dims) {
  if (element_count(dims) != static_cast<std::int64_t>(values.size()))
    throw std::logic_error("dataset '" + path + "': " + std::to_string(values.size()) + " values for shape " +
                           shape_text(dims));
  write_whole(create(path, file_type<T>(), dims, 0), native_type<T>(),
              values.empty() ? nullptr : values.data(), out_, path);
}

template <Element T>
RowWriter<T> ArtifactWriter::rows(const std::string& path, std::int64_t rows, std::int64_t cols) {
  return stream<T>(path, rows, cols, rows > 0 ? chunk_length(cols) : 0);
}

template <Element T>
RowWriter<T> ArtifactWriter::contiguous_rows(const std::string& path, std::int64_t rows, std::int64_t cols) {
  return stream<T>(path, rows, cols, 0);
}

template <Element T>
RowWriter<T> ArtifactWriter::stream(const std::string& path, std::int64_t rows, std::int64_t cols,
                                    std::int64_t chunk) {
  Handle id = create(path, file_type<T>(), {rows, cols}, chunk);
  auto progress = std::make_shared<RowProgress>(RowProgress{out_.string(), path, rows, cols, 0});
  streams_.push_back(progress);
  return RowWriter<T>(std::move(id), std::move(progress));
}

template <Element T>
void RowWriter<T>::append(std::span<const T> row) {
  RowProgress& progress = *progress_;
  if (static_cast<std::int64_t>(row.size()) != progress.cols || progress.next == progress.rows)
    throw std::logic_error("dataset '" + progress.path + "': row " + std::to_string(progress.next) +
                           " of length " + std::to_string(row.size()) + " does not fit into " +
                           shape_text({progress.rows, progress.cols}));
  const hsize_t start[2] = {static_cast<hsize_t>(progress.next), 0};
  const hsize_t size[2] = {1, static_cast<hsize_t>(progress.cols)};
  const Handle to(H5Dget_space(dataset_.get()), H5Sclose);
  const Handle from(H5Screate_simple(2, size, nullptr), H5Sclose);
  if (H5Sselect_hyperslab(to.get(), H5S_SELECT_SET, start, nullptr, size, nullptr) < 0 ||
      H5Dwrite(dataset_.get(), native_type<T>(), from.get(), to.get(), H5P_DEFAULT, row.data()) < 0)
    fail(progress.file, "dataset '" + progress.path + "'");
  ++progress.next;
  if (progress.next == progress.rows && H5Dflush(dataset_.get()) < 0)
    fail(progress.file, "dataset '" + progress.path + "'");
}

void ArtifactWriter::strings(const std::string& path, const std::vector<std::string>& values) {
  const Handle type = text_type();
  std::vector<const char*> texts;
  for (const auto& value : values) texts.push_back(value.c_str());
  write_whole(create(path, type.get(), {static_cast<std::int64_t>(values.size())}, 0), type.get(),
              values.empty() ? nullptr : texts.data(), out_, path);
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
      set(value.dump());
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
    if (!file_.reset()) fail(out_, "the file");
    write_user_block(part_);
    publish(part_, out_);
    return digest;
  } catch (...) {
    file_.reset();
    remove_file(part_);
    throw;
  }
}

template class RowWriter<float>;
template class RowWriter<double>;
template class RowWriter<std::int64_t>;
template class RowWriter<std::uint8_t>;
template void ArtifactWriter::dataset(const std::string&, std::span<const float>,
                                      const std::vector<std::int64_t>&);
template void ArtifactWriter::dataset(const std::string&, std::span<const double>,
                                      const std::vector<std::int64_t>&);
template void ArtifactWriter::dataset(const std::string&, std::span<const std::int64_t>,
                                      const std::vector<std::int64_t>&);
template void ArtifactWriter::dataset(const std::string&, std::span<const std::uint8_t>,
                                      const std::vector<std::int64_t>&);
template RowWriter<float> ArtifactWriter::rows(const std::string&, std::int64_t, std::int64_t);
template RowWriter<double> ArtifactWriter::rows(const std::string&, std::int64_t, std::int64_t);
template RowWriter<std::int64_t> ArtifactWriter::rows(const std::string&, std::int64_t, std::int64_t);
template RowWriter<std::uint8_t> ArtifactWriter::rows(const std::string&, std::int64_t, std::int64_t);
template RowWriter<double> ArtifactWriter::contiguous_rows(const std::string&, std::int64_t, std::int64_t);

}  // namespace ritzflow
