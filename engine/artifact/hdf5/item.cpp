#include "artifact/hdf5/item.h"

#include <limits>

#include "artifact/hdf5/blocks.h"
#include "artifact/hdf5/objects.h"
#include "core/error.h"

namespace ritzflow::artifact {
namespace {

// A piece stays in a second-level cache while it is looked at; of a compressed dataset it is at least a
// chunk, which is unpacked again for each piece.
constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20, kCompressedPieceBytes = std::int64_t{1} << 24;
// Deflate shrinks at most 1032 times; the other filters in use shrink less.
constexpr double kMaxCompression = 1100.0;

std::vector<hsize_t> unsigned_dims(const std::vector<std::int64_t>& dims) {
  return {dims.begin(), dims.end()};
}

bool has_filters(hid_t dataset) {
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  return H5Pget_nfilters(properties.get()) > 0;
}

}  // namespace

std::string joined(const std::vector<std::int64_t>& shape, const std::string& separator) {
  std::string text;
  for (const std::int64_t size : shape) {
    if (!text.empty()) text += separator;
    text += std::to_string(size);
  }
  return text;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  text += joined(shape, ", ");
  return text + "]";
}

std::string index_text(std::int64_t flat, const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> index(shape.size());
  for (std::size_t d = shape.size(); d-- > 0; flat /= shape[d]) index[d] = flat % shape[d];
  return shape_text(index);
}

Item::Item(const FileView& file, const std::string& path)
    : where_(file.name + ": dataset '" + path + "'"), is_attribute_(false) {
  prepare_hdf5();
  if (!object_exists(file.id, path)) fail("is missing");
  id_ = Handle(H5Dopen2(file.id, path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!id_) fail("cannot be opened: " + hdf5_reason());
  type_ = Handle(H5Dget_type(id_.get()), H5Tclose);
  inspect(file, Handle(H5Dget_space(id_.get()), H5Sclose));
}

Item::Item(const FileView& file, const std::string& object, const std::string& attribute)
    : where_(file.name + ": attribute '" + attribute_path(object, attribute) + "'"), is_attribute_(true) {
  prepare_hdf5();
  if (!object_exists(file.id, object) ||
      H5Aexists_by_name(file.id, object.c_str(), attribute.c_str(), H5P_DEFAULT) <= 0)
    fail("is missing");
  id_ =
      Handle(H5Aopen_by_name(file.id, object.c_str(), attribute.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!id_) fail("cannot be opened: " + hdf5_reason());
  type_ = Handle(H5Aget_type(id_.get()), H5Tclose);
  inspect(file, Handle(H5Aget_space(id_.get()), H5Sclose));
}

void Item::fail(const std::string& problem) const { throw InputError(where_ + " " + problem); }

void Item::inspect(const FileView& file, Handle space) {
  if (!type_ || !space) fail("cannot be opened: " + hdf5_reason());
  dtype_ = dtype_of(type_.get());
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0) fail("has a damaged shape: " + hdf5_reason());
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
  count_ = H5Sget_simple_extent_type(space.get()) == H5S_NULL ? 0 : 1;
  for (const hsize_t dim : dims) {
    const auto limit = static_cast<hsize_t>(std::numeric_limits<std::int64_t>::max() / 1024);
    if (dim > limit || (dim > 0 && static_cast<hsize_t>(count_) > limit / dim))
      fail("has an impossible shape");
    shape_.push_back(static_cast<std::int64_t>(dim));
    count_ *= static_cast<std::int64_t>(dim);
  }
  check_size(file);
}

void Item::check_size(const FileView& file) const {
  const double size = static_cast<double>(count_) * static_cast<double>(dtype_.size);
  const double factor = !is_attribute_ && has_filters(id_.get()) ? kMaxCompression : 1.0;
  if (size > factor * static_cast<double>(file.bytes))
    fail("claims shape " + shape_text(shape_) + ", more than the file's " + std::to_string(file.bytes) +
         " bytes can hold: the file is damaged or was never filled");
}

void Item::read(hid_t memory_type, void* out) const {
  if (count_ == 0) return;
  const herr_t status = is_attribute_ ? H5Aread(id_.get(), memory_type, out)
                                      : H5Dread(id_.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  if (status < 0) fail("cannot be read: " + hdf5_reason());
}

void Item::read_block(hid_t memory_type, const std::vector<std::int64_t>& start,
                      const std::vector<std::int64_t>& extent, void* out) const {
  if (shape_.empty() || is_attribute_) return read(memory_type, out);
  const auto origin = unsigned_dims(start);
  const auto size = unsigned_dims(extent);
  const Handle from(H5Dget_space(id_.get()), H5Sclose);
  const Handle to(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
  if (H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, origin.data(), nullptr, size.data(), nullptr) < 0 ||
      H5Dread(id_.get(), memory_type, to.get(), from.get(), H5P_DEFAULT, out) < 0)
    fail("cannot be read: " + hdf5_reason());
}

std::optional<std::uint64_t> Item::file_offset() const {
  const haddr_t offset = H5Dget_offset(id_.get());
  if (offset == HADDR_UNDEF) return std::nullopt;
  return offset;
}

std::vector<std::string> Item::read_text() const {
  if (count_ == 0) return {};
  return dtype_.variable_length ? read_variable_text() : read_fixed_text();
}

std::vector<std::string> Item::read_variable_text() const {
  const Handle memory_type(H5Tcopy(type_.get()), H5Tclose);
  const auto size = static_cast<hsize_t>(count_);
  const Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
  std::vector<char*> pointers(static_cast<std::size_t>(count_), nullptr);
  read(memory_type.get(), pointers.data());
  std::vector<std::string> texts;
  for (const char* text : pointers) texts.emplace_back(text != nullptr ? text : "");
  H5Dvlen_reclaim(memory_type.get(), space.get(), H5P_DEFAULT, pointers.data());
  return texts;
}

std::vector<std::string> Item::read_fixed_text() const {
  std::string buffer(static_cast<std::size_t>(count_) * dtype_.size, '\0');
  read(type_.get(), buffer.data());
  std::vector<std::string> texts;
  for (std::size_t begin = 0; begin < buffer.size(); begin += dtype_.size) {
    std::string text = buffer.substr(begin, dtype_.size);
    const auto last = text.find_last_not_of('\0');
    text.resize(last == std::string::npos ? 0 : last + 1);
    texts.push_back(std::move(text));
  }
  return texts;
}

void Item::for_each_piece(const std::function<void(std::span<const std::byte>)>& consume) const {
  if (count_ == 0) return;
  const Handle memory_type = digest_type(type_.get(), dtype_);
  const auto size = static_cast<std::int64_t>(H5Tget_size(memory_type.get()));
  std::vector<std::byte> bytes;
  // Attributes are small (HDF5 reads them whole).
  const bool compressed = !is_attribute_ && has_filters(id_.get());
  for_each_block(shape_, is_attribute_ ? count_ : (compressed ? kCompressedPieceBytes : kPieceBytes) / size,
                 [&](const auto& start, const auto& extent) {
                   bytes.resize(static_cast<std::size_t>(product_of(extent) * size));
                   read_block(memory_type.get(), start, extent, bytes.data());
                   consume(bytes);
                 });
}

}  // namespace ritzflow::artifact
