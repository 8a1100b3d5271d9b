#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artifact/digest/content_digest.h"
#include "artifact/hdf5/handle.h"
#include "artifact/hdf5/item.h"
#include "artifact/writer.h"

namespace ritzflow::artifact {

/// Types that attributes are read as. Numbers convert among each other; a fraction never becomes an integer.
template <class T>
concept AttributeType = std::same_as<T, bool> || std::same_as<T, std::int64_t> || std::same_as<T, double> ||
                        std::same_as<T, std::string> || std::same_as<T, std::vector<std::string>> ||
                        std::same_as<T, std::vector<std::int64_t>> || std::same_as<T, std::vector<double>>;

/// Opens an artifact, or a file that a user made with h5py in the same layout, and refuses what is damaged.
///
/// The constructor checks, in this order: the file can be read; the digest in the user block, before libhdf5
/// sees a byte; `format`, `format_version` (another major is refused), the schema; without a user block the
/// stored `content_sha256`. Everything wrong with the file is an InputError of the form
/// `lanczos.h5: dataset 'alpha' has shape [60], expected [m] with m = 59 from 'H'`.
class ArtifactReader {
 public:
  ArtifactReader(const std::filesystem::path& path, const std::string& expected_format);
  /// Of a file whose bytes were checked a moment ago.
  ArtifactReader(std::filesystem::path path, const std::string& expected_format, CheckedBytes checked);

  /// Is there a dataset or group of this path?
  bool has(const std::string& path) const;
  bool has_attribute(const std::string& name) const;
  bool has_attribute(const std::string& object, const std::string& name) const;

  /// An attribute of the root group, or of `object`.
  template <AttributeType T>
  T attribute(const std::string& name) const {
    return attribute<T>("/", name);
  }
  template <AttributeType T>
  T attribute(const std::string& object, const std::string& name) const;

  /// An attribute of the root group, or `absent` where the file has none of this name.
  template <AttributeType T>
  T attribute_or(const std::string& name, T absent) const {
    return has_attribute(name) ? attribute<T>(name) : absent;
  }

  /// A whole dataset in C order; T is an Element or std::string.
  template <class T>
    requires Element<T> || std::same_as<T, std::string>
  std::vector<T> read(const std::string& path) const;

  /// Rows first .. first + count - 1 (along the first dimension) into `out`, which has exactly that size.
  template <Element T>
  void read_rows(const std::string& path, std::int64_t first, std::int64_t count, std::span<T> out) const;

  /// Where the file holds the first byte of a dataset of ArtifactWriter::contiguous_rows(), row after row;
  /// nothing for one that is in chunks or has no rows.
  std::optional<std::uint64_t> file_offset(const std::string& path) const;

  std::vector<std::int64_t> shape(const std::string& path) const;
  /// "float32", "float64", "bfloat16", "int64", "uint8", ..., "bool", "string"; another type by its class.
  std::string dtype(const std::string& path) const;
  /// Names of the members of a group, sorted.
  std::vector<std::string> children(const std::string& group = "/") const;

  /// The stored `content_sha256`, computed where the file has none.
  std::string content_sha256() const;
  /// Computed again from all data; reads the whole file.
  std::string compute_content_sha256() const;
  /// True when the bytes were checked against a digest (user block or content_sha256).
  bool verified() const { return verified_; }

  const std::filesystem::path& path() const { return path_; }
  const std::string& format() const { return format_; }
  const std::string& format_version() const { return version_; }

 private:
  FileView view() const;
  void check_format(const std::string& expected);
  void check_content() const;

  std::filesystem::path path_;
  std::string format_;
  std::string version_;
  Handle file_;
  std::uint64_t bytes_ = 0;
  bool verified_ = false;
  std::string stored_sha256_;
  std::string computed_sha256_;
};

}  // namespace ritzflow::artifact
