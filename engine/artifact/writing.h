#pragma once
#include <filesystem>
#include <string>

#include "artifact/hdf5/handle.h"
#include "core/error.h"

namespace ritzflow::artifact {

/// Throws the IoError of a call of HDF5 that could not write `what`.
[[noreturn]] inline void throw_write_error(const std::filesystem::path& file, const std::string& what) {
  throw IoError(file.string() + ": cannot write " + what + ": " + hdf5_reason());
}

/// A property list for making files, groups or datasets without object times: two honest runs give the same
/// bytes.
inline Handle creation_list(hid_t list_class) {
  Handle list(H5Pcreate(list_class), H5Pclose);
  H5Pset_obj_track_times(list.get(), false);
  return list;
}

}  // namespace ritzflow::artifact
