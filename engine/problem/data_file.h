#pragma once
#include <filesystem>

#include "model/package/arguments.h"
#include "problem/dataset.h"

namespace ritzflow::problem {

/// A data.h5: its samples, and what a network is called with.
struct DataFile {
  Dataset data;
  model::ModelInputs inputs;
};

/// Reads and checks it (docs/formats.md). Throws InputError that names the file, the data set and the index
/// of the first wrong element: not finite, label or token out of range, all rows masked, wrong shape.
DataFile read_data_file(const std::filesystem::path& path);

}  // namespace ritzflow::problem
