#pragma once
#include <cstdint>

namespace ritzflow {

/// Bytes of this process that are in memory now.
int64_t resident_memory();

}  // namespace ritzflow
