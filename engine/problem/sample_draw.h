#pragma once
#include <cstdint>

#include "problem/dataset.h"

namespace ritzflow::problem {

/// `count` samples drawn without replacement, in the order that they have in `data`: the first ones of a
/// random order, so that draws of one seed are nested. The risk then averages over them alone. Throws
/// InputError where `data` has fewer, or where every row drawn is masked.
Dataset draw_samples(const Dataset& data, int64_t count, uint64_t seed);

}  // namespace ritzflow::problem
