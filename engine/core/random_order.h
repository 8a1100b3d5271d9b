#pragma once
#include <cstdint>
#include <vector>

#include "core/philox.h"

namespace ritzflow {

/// 0 to n - 1 in random order: ascending by their `bits`.
std::vector<int64_t> random_order(const Philox& random, int64_t n);

}  // namespace ritzflow
