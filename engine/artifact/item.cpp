#include "artifact/item.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace ritzflow {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{1} << 24;
// Deflate shrinks at most 1032 times; the other filters in use shrink less.
constexpr double kMaxCompression = 1100.0;

std::vector<hsize_t> unsigned_dims(const std::vector<std::int64_t>& dims) {
  return {dims.begin(), dims.end()};
}

bool has_filters(hid_t dataset) {
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  return H5Pget_nfilters(properties.get()) > 0;
}

// Lengths of the blocks of at most `limit` elements into which C order cuts the shape: 1, ..., 1, b, full,
// ..., full.
std::vector<std::int64_t> block_extent(const std::vector<std::int64_t>& shape, std::int64_t limit) {
  std::vector<std::int64_t> extent(shape.size(), 1);
  std::int64_t inner = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    extent[d] = std::min(shape[d], std::max<std::int64_t>(1, limit / inner));
    if (extent[d] < shape[d]) break;
    inner *= shape[d];
  }
  return extent;
}

// Advances `start` to the next block in C order; false behind the last one.
bool next_block(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& extent,
                std::vector<std::int64_t>& start) {
  for (std::size_t d = shape.size(); d-- > 0;) {
    start[d] += extent[d];
    if (start[d] < shape[d]) return true;
    start[d] = 0;
  }
  return false;
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
  if (shape_.empty()) return read(memory_type, out);
  const auto origin = unsigned_dims(start);
  const auto size = unsigned_dims(extent);
  const Handle from(H5Dget_space(id_.get()), H5Sclose);
  const Handle to(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), H5Sclose);
  if (H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, origin.data(), nullptr, size.data(), nullptr) < 0 ||
      H5Dread(id_.get(), memory_type, to.get(), from.get(), H5P_DEFAULT, out) < 0)
    fail("cannot be read: " + hdf5_reason());
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
  // Attributes are small (HDF5 reads them whole).
  const auto extent = is_attribute_ ? shape_ : block_extent(shape_, kPieceBytes / size);
  const std::int64_t block =
      std::accumulate(extent.begin(), extent.end(), std::int64_t{1}, std::multiplies<>());
  std::vector<std::byte> bytes(static_cast<std::size_t>(block * size));
  std::vector<std::int64_t> start(shape_.size(), 0);
  do {
    auto part = extent;
    for (std::size_t d = 0; d < part.size(); ++d) part[d] = std::min(extent[d], shape_[d] - start[d]);
    const std::int64_t count =
        std::accumulate(part.begin(), part.end(), std::int64_t{1}, std::multiplies<>());
    if (is_attribute_)
      read(memory_type.get(), bytes.data());
    else
      read_block(memory_type.get(), start, part, bytes.data());
    consume(std::span<const std::byte>(bytes).first(static_cast<std::size_t>(count * size)));
  } while (next_block(shape_, extent, start));
}

std::string attribute_path(const std::string& object, const std::string& attribute) {
  return object == "/" ? attribute : object + "@" + attribute;
}

bool object_exists(hid_t file, const std::string& path) {
  prepare_hdf5();
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (H5Lexists(file, path.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
  if (path == "/") return true;
  return H5Lexists(file, path.c_str(), H5P_DEFAULT) > 0 &&
         H5Oexists_by_name(file, path.c_str(), H5P_DEFAULT) > 0;
}

bool is_dataset(hid_t file, const std::string& path) {
  if (!object_exists(file, path)) return false;
  const Handle object(H5Oopen(file, path.c_str(), H5P_DEFAULT), H5Oclose);
  return object && H5Iget_type(object.get()) == H5I_DATASET;
}

std::vector<std::string> group_members(hid_t file, const std::string& group) {
  std::vector<std::string> names;
  if (!object_exists(file, group)) return names;
  const Handle id(H5Gopen2(file, group.c_str(), H5P_DEFAULT), H5Gclose);
  if (!id) return names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  H5Literate(id.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> attribute_names(hid_t file, const std::string& object) {
  std::vector<std::string> names;
  const Handle id(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose);
  if (!id) return names;
  const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  H5Aiterate2(id.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace ritzflow
