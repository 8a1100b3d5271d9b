#pragma once
#include <hdf5.h>

#include <string>
#include <utility>

namespace ritzflow::artifact {

/// Owner of one HDF5 identifier (file, group, dataset, space, type, property list); closes it on destruction.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { reset(); }

  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

  /// Closes now; false if HDF5 reports an error (for a file that was written: the disk may be full).
  bool reset();

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

/// Prepares HDF5 in the calling thread: it prints nothing (errors become exceptions with one clear line), and
/// it does not clean up at exit, where it crashes after a failed write because the file could not be closed.
void prepare_hdf5();

/// The innermost description on HDF5's error stack of this thread, for messages; clears the stack.
std::string hdf5_reason();

}  // namespace ritzflow::artifact
