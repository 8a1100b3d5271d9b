#pragma once
#include <cstdint>

namespace ritzflow::spectrum {

/// What a stage is about to take at its peak, in bytes, and a line of the log with it: `loaded`, which
/// is in memory before its first product (model, data, libraries), `products` by the operator's memory plan
/// with one micro-batch at work, and `vectors` that the stage holds meanwhile. 0, and no line, for an
/// operator without a plan.
int64_t state_memory(int64_t loaded, int64_t products, int64_t vectors);

}  // namespace ritzflow::spectrum
