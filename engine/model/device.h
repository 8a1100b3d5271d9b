#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "settings/choices.h"

namespace ritzflow::model {

/// The device, ready for products. For cuda, LibTorch's part for GPUs is loaded, and told to take the
/// deterministic ones of its algorithms and to leave float32 its 24 bits (no TF32). To be called before
/// anything else of LibTorch. Throws Refusal where this LibTorch or this machine has no GPU.
at::Device open_device(Device device);

/// Bytes of memory that `device` has in all.
int64_t total_memory(at::Device device);

}  // namespace ritzflow::model
