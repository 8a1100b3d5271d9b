#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace ritzflow::krylov {

/// Bytes of vectors on disk, read and written at any place by many threads. The file goes with the object
/// unless keep() was called. Every failure of the operating system is an IoError that names the file and the
/// reason.
class RowFile {
 public:
  /// A new file of this name.
  static std::unique_ptr<RowFile> create(const std::filesystem::path& path);

  /// A new file without a name from the beginning: nothing is left of it however the process ends.
  static std::unique_ptr<RowFile> create_unnamed(const std::filesystem::path& path);

  /// A file that exists, and that is kept.
  static std::unique_ptr<RowFile> open(const std::filesystem::path& path);

  ~RowFile();
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;

  void write(int64_t offset, std::span<const std::byte> bytes);
  void read(int64_t offset, std::span<std::byte> bytes) const;

  /// Asks the system to read ahead; returns at once.
  void will_need(int64_t offset, int64_t size) const;

  /// What was written is on the disk, and stays there when the object goes.
  void keep();

  const std::filesystem::path& path() const { return path_; }

 private:
  RowFile(const std::filesystem::path& path, int flags);

  std::filesystem::path path_;
  int descriptor_ = -1;
  bool removed_at_end_ = true;
};

}  // namespace ritzflow::krylov
