#pragma once
#include <cstdint>

namespace ritzflow {

/// Bytes of this process that are in memory and in use now: what malloc holds of freed memory goes back to
/// the system first.
int64_t resident_memory();

/// The most bytes of this process that were in memory at any time.
int64_t peak_memory();

}  // namespace ritzflow
