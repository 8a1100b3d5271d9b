#pragma once
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

namespace ritzflow::curvature::test {

/// A device that stands in for a GPU where there is none. It computes with LibTorch's CPU kernels, to the
/// same bits, and is otherwise as strict as a GPU:
///   - host code that reads or writes a tensor's memory crashes;
///   - an operator that is given tensors of this device and of the host throws, but for copies and for
///   numbers
///     (host tensors of dimension 0, which are only read);
///   - whatever makes the host wait for the device is counted, as it would be with CUDA;
///   - what is allocated and freed is reported to LibTorch's profiler under this device.
/// Fresh memory is filled with NaN. Dense real tensors only; there are no random numbers and no events.
/// Backward passes run in a thread of the device, as they do on a GPU.
at::Device stand_in_device();

/// What passed between the host and the stand-in device.
struct Transfers {
  /// Times that the host had to wait: tensors copied to the host, numbers read, and results whose shape
  /// depends on values (nonzero, masks as indices).
  int64_t to_host = 0;
  /// Tensors copied to the device.
  int64_t to_device = 0;

  bool operator==(const Transfers&) const = default;
};

/// Those that happen while `work` runs, in whatever thread.
Transfers transfers_of(const std::function<void()>& work);

}  // namespace ritzflow::curvature::test
