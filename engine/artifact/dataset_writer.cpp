// The datasets of an ArtifactWriter.
#include <stdexcept>

#include "artifact/hdf5/item.h"
#include "artifact/hdf5/types.h"
#include "artifact/writer.h"
#include "artifact/writing.h"

namespace ritzflow::artifact {
namespace {

constexpr std::int64_t kMaxChunkElements = std::int64_t{1} << 20;

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
  if (!written || !dataset.reset()) throw_write_error(file, "dataset '" + path + "'");
}

}  // namespace

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
  if (!dataset) throw_write_error(out_, "dataset '" + path + "'");
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
    throw_write_error(progress.file, "dataset '" + progress.path + "'");
  ++progress.next;
  if (progress.next == progress.rows && H5Dflush(dataset_.get()) < 0)
    throw_write_error(progress.file, "dataset '" + progress.path + "'");
}

void ArtifactWriter::strings(const std::string& path, const std::vector<std::string>& values) {
  const Handle type = text_type();
  std::vector<const char*> texts;
  for (const auto& value : values) texts.push_back(value.c_str());
  write_whole(create(path, type.get(), {static_cast<std::int64_t>(values.size())}, 0), type.get(),
              values.empty() ? nullptr : texts.data(), out_, path);
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
template RowWriter<float> ArtifactWriter::contiguous_rows(const std::string&, std::int64_t, std::int64_t);
template RowWriter<double> ArtifactWriter::contiguous_rows(const std::string&, std::int64_t, std::int64_t);

}  // namespace ritzflow::artifact
