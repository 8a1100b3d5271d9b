#pragma once
#include <cstddef>
#include <filesystem>

#include "artifact/hdf5/handle.h"

namespace ritzflow::artifact {

/// Size of the HDF5 user block in which a file carries the SHA-256 of all bytes that follow.
inline constexpr std::size_t kUserBlockSize = 512;

/// What the first bytes of a file say.
enum class UserBlock {
  verified,  ///< our block, and the bytes that follow have its digest
  absent     ///< an HDF5 file without one, as h5py writes
};

/// Fills the user block of a finished file: "ritzflow-sha256 1\n", 64 hex digits, "\n", zeros. Throws
/// IoError.
void write_user_block(const std::filesystem::path& path);

/// Checks a file before libhdf5 sees it, because libhdf5 can crash on damaged bytes. Throws InputError for a
/// file that is not an HDF5 file, is damaged or was changed after it was written; IoError if it cannot be
/// read.
UserBlock check_user_block(const std::filesystem::path& path);

/// Opens an HDF5 file read-only, locking at best effort. Throws InputError.
Handle open_hdf5(const std::filesystem::path& path);

}  // namespace ritzflow::artifact
