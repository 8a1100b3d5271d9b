#pragma once
#include <filesystem>

#include "problem/data_file.h"

namespace ritzflow::problem {

/// The data of an objective: the targets, as they lie in the file, are one more input by the name of
/// `targets` (one array of inputs is called `inputs` then), and each sample is one term of the loss. Throws
/// Refusal where the file masks or weights single tokens.
DataFile with_targets_as_input(DataFile data, const std::filesystem::path& path);

}  // namespace ritzflow::problem
