#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artifact/hdf5/handle.h"
#include "artifact/hdf5/types.h"

namespace ritzflow::artifact {

/// An open HDF5 file with what error messages and size checks need.
struct FileView {
  hid_t id;
  std::string name;     ///< as shown in errors
  std::uint64_t bytes;  ///< size on disk; no dataset may claim more than this justifies
};

/// The sizes with `separator` between them: "60, 3".
std::string joined(const std::vector<std::int64_t>& shape, const std::string& separator);
/// "[60, 3]"
std::string shape_text(const std::vector<std::int64_t>& shape);
/// The same of the multi-index of element `flat` of an array of this shape.
std::string index_text(std::int64_t flat, const std::vector<std::int64_t>& shape);

/// A dataset or an attribute, open for reading. All errors are InputErrors that start with where().
class Item {
 public:
  /// The dataset of this path.
  Item(const FileView& file, const std::string& path);
  /// The attribute of this name at a group or dataset ("/" is the root).
  Item(const FileView& file, const std::string& object, const std::string& attribute);

  const Dtype& dtype() const { return dtype_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::int64_t count() const { return count_; }  ///< number of elements
  /// "lanczos.h5: dataset 'alpha'"
  const std::string& where() const { return where_; }

  /// All elements, converted by HDF5 to `memory_type`, into room for count() of them.
  void read(hid_t memory_type, void* out) const;
  /// A block of a dataset: `start` and `extent` along each dimension. An attribute is read whole.
  void read_block(hid_t memory_type, const std::vector<std::int64_t>& start,
                  const std::vector<std::int64_t>& extent, void* out) const;
  /// Of a contiguous dataset's first byte in the file.
  std::optional<std::uint64_t> file_offset() const;
  /// All elements of a text item; fixed-length strings lose their padding.
  std::vector<std::string> read_text() const;
  /// Little-endian bytes of all elements in C order, in pieces of bounded size; not for text.
  void for_each_piece(const std::function<void(std::span<const std::byte>)>& consume) const;

  [[noreturn]] void fail(const std::string& problem) const;

 private:
  void inspect(const FileView& file, Handle space);
  void check_size(const FileView& file) const;
  std::vector<std::string> read_variable_text() const;
  std::vector<std::string> read_fixed_text() const;

  std::string where_;
  bool is_attribute_;
  Handle id_;
  Handle type_;
  Dtype dtype_;
  std::vector<std::int64_t> shape_;
  std::int64_t count_ = 0;
};

}  // namespace ritzflow::artifact
