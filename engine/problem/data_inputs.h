#pragma once
#include "artifact/reader.h"
#include "problem/data_file.h"

namespace ritzflow::problem {

/// Reads `inputs` and `shared`: what a network is called with, and how many samples there are. Throws
/// InputError.
void read_inputs(const artifact::ArtifactReader& file, DataFile& read);

}  // namespace ritzflow::problem
