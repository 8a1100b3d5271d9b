#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "artifact/digest/file_digest.h"
#include "artifact/hdf5/item.h"

namespace ritzflow::artifact {

/// `content_sha256` of a file: SHA-256 over every dataset and attribute outside /provenance (and without
/// `content_sha256` itself) in ascending order of their keys, each as key, dtype, shape and little-endian
/// bytes. Two honest runs agree in it whatever the hour, the host and the order of writing. docs/formats.md
/// has the exact rule and the same computation in Python. Data pass through in pieces of bounded size.
std::string content_digest(const FileView& file);

/// What one pass over all data found.
struct ContentScan {
  std::string sha256;                   ///< content_digest()
  std::vector<std::string> not_finite;  ///< the first NaN or infinity of each dataset that has one, in words
};

ContentScan scan_content(const FileView& file);

/// scan_content() in a child process, so that a damaged file that crashes libhdf5, or lets it run for ever,
/// ends in an InputError here. Everything in the file is read once, /provenance too. Make it in the thread
/// that uses HDF5; without result() the destructor ends the child.
class ScanInChild {
 public:
  /// Starts to read.
  explicit ScanInChild(const std::filesystem::path& path);
  ~ScanInChild();
  ScanInChild(const ScanInChild&) = delete;
  ScanInChild& operator=(const ScanInChild&) = delete;

  /// Waits for the end. Throws InputError, once.
  ContentScan result();

 private:
  std::string path_;
  int pipe_ = -1;
  int child_ = -1;  ///< process id; -1 once it was waited for
};

/// How far a file was checked before libhdf5 opens it in this process.
struct CheckedBytes {
  UserBlock block = UserBlock::absent;
  std::string content_sha256;  ///< computed; empty where the user block vouches for the file
};

/// check_user_block(), and for a file without one a ScanInChild. Throws as these do.
CheckedBytes check_bytes(const std::filesystem::path& path);

}  // namespace ritzflow::artifact
