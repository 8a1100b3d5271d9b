#pragma once
#include "artifact/reader.h"
#include "problem/data_file.h"

namespace ritzflow {

/// Reads `inputs` and `shared`: what a network is called with, and how many samples there are. Throws
/// InputError.
void read_inputs(const ArtifactReader& file, DataFile& read);

}  // namespace ritzflow
