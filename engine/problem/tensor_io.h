#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "artifact/reader.h"
#include "artifact/writer.h"

namespace ritzflow::problem {

/// A whole dataset as a contiguous tensor of its own shape; integers become int64, other numbers keep their
/// width (float32, float64). Throws InputError on an empty dataset and on types that are no numbers.
at::Tensor read_tensor(const artifact::ArtifactReader& file, const std::string& path);

/// A dataset of the tensor's shape, in float32 or float64 as the tensor is.
void write_tensor(artifact::ArtifactWriter& file, const std::string& path, const at::Tensor& tensor);

/// Throws InputError that names the first element that is nan or infinite.
void require_finite(const at::Tensor& values, const artifact::ArtifactReader& file, const std::string& path);

}  // namespace ritzflow::problem
