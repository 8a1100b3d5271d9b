#pragma once
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "artifact/hdf5/handle.h"

namespace ritzflow::artifact {

/// Element types of datasets.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int64_t> ||
                  std::same_as<T, std::uint8_t>;

/// Value of an attribute; a bool is stored as the enum that h5py shows as numpy.bool_.
using Attribute = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>,
                               std::vector<std::int64_t>, std::vector<double>>;

/// How far a streamed dataset has got; commit() refuses one that is not full.
struct RowProgress {
  std::string file;
  std::string path;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t next = 0;
};

/// Appends the rows of one dataset [rows, cols] in order. Use it before its ArtifactWriter commits.
template <Element T>
class RowWriter {
 public:
  /// Writes the next row, which has cols elements. Throws IoError when the disk is full, std::logic_error for
  /// a row of another length or one too many.
  void append(std::span<const T> row);
  std::int64_t rows_written() const { return progress_->next; }

 private:
  friend class ArtifactWriter;
  RowWriter(Handle dataset, std::shared_ptr<RowProgress> progress)
      : dataset_(std::move(dataset)), progress_(std::move(progress)) {}

  Handle dataset_;
  std::shared_ptr<RowProgress> progress_;
};

/// Writes one artifact so that its final name appears whole or not at all.
///
/// The bytes go to `<out>.part.<pid>` beside `out`, after a 512-byte user block; commit() adds
/// `content_sha256` (docs/formats.md has the rule), puts the SHA-256 of all bytes after the user block into
/// the block, then fsync, rename, fsync of the folder. Without commit() the destructor removes the part file.
/// Every failure of the operating system is an IoError that names the file and the reason.
/// Root attributes `format` and `format_version` are written by the constructor.
class ArtifactWriter {
 public:
  /// `format` is a name that schema() knows, for example "ritzflow-lanczos". The folder of `out` must exist.
  ArtifactWriter(std::filesystem::path out, std::string format);
  ~ArtifactWriter();
  ArtifactWriter(const ArtifactWriter&) = delete;
  ArtifactWriter& operator=(const ArtifactWriter&) = delete;

  /// An attribute of the root group.
  void attribute(const std::string& name, const Attribute& value);
  /// An attribute of a group (made if missing) or of a dataset that exists.
  void attribute(const std::string& object, const std::string& name, const Attribute& value);

  /// A whole dataset in C order; `dims` empty means a scalar. Missing groups are made.
  template <Element T>
  void dataset(const std::string& path, std::span<const T> values, const std::vector<std::int64_t>& dims);
  template <Element T>
  void dataset(const std::string& path, const std::vector<T>& values, const std::vector<std::int64_t>& dims) {
    dataset(path, std::span<const T>(values), dims);
  }
  template <Element T>
  void dataset(const std::string& path, const std::vector<T>& values) {
    dataset(path, std::span<const T>(values), {static_cast<std::int64_t>(values.size())});
  }

  /// A dataset [rows, cols] that is streamed row by row, one row (at most 2^20 elements) a chunk.
  template <Element T>
  RowWriter<T> rows(const std::string& path, std::int64_t rows, std::int64_t cols);

  /// The same in one unbroken piece of the file, so that rows can be read at ArtifactReader::file_offset()
  /// without libhdf5.
  template <Element T>
  RowWriter<T> contiguous_rows(const std::string& path, std::int64_t rows, std::int64_t cols);

  /// A dataset [values.size()] of variable-length UTF-8 strings.
  void strings(const std::string& path, const std::vector<std::string>& values);

  /// Each key becomes an attribute of the group /provenance; nested values are stored as JSON text.
  void provenance(const nlohmann::json& facts);

  /// Publishes the file under its final name; returns `content_sha256`. Nothing can be written afterwards.
  /// A RowWriter that is not full, or a file that its own schema refuses, is a std::logic_error; nothing
  /// appears.
  std::string commit();

  const std::filesystem::path& path() const { return out_; }

 private:
  Handle create(const std::string& path, hid_t type, const std::vector<std::int64_t>& dims,
                std::int64_t chunk);
  template <Element T>
  RowWriter<T> stream(const std::string& path, std::int64_t rows, std::int64_t cols, std::int64_t chunk);
  void make_groups(const std::string& path);
  void check_complete() const;
  void abandon() noexcept;

  std::filesystem::path out_;
  std::filesystem::path part_;
  std::string format_;
  Handle file_;
  std::vector<std::shared_ptr<const RowProgress>> streams_;
};

}  // namespace ritzflow::artifact
