#pragma once
#include "artifact/reader.h"
#include "problem/dataset.h"

namespace ritzflow::problem {

/// Reads `targets`, `mask` and `weights`: the terms of the loss. `data` has its task and its inputs. Throws
/// InputError.
void read_targets(const artifact::ArtifactReader& file, Dataset& data);

}  // namespace ritzflow::problem
