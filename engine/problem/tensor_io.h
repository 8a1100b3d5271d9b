#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "artifact/reader.h"

namespace ritzflow::problem {

/// A whole dataset as a contiguous tensor of its own shape; integers become int64, other numbers keep their
/// width (float32, float64). Throws InputError on an empty dataset and on types that are no numbers.
at::Tensor read_tensor(const artifact::ArtifactReader& file, const std::string& path);

/// Throws InputError that names the first element that is nan or infinite.
void require_finite(const at::Tensor& values, const artifact::ArtifactReader& file, const std::string& path);

/// "[3, 17]": the multi-index of element `flat` of `shape`, for messages.
std::string index_text(int64_t flat, at::IntArrayRef shape);

}  // namespace ritzflow::problem
