#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "artifact/reader.h"

namespace ritzflow::problem {

/// Throws InputError "<file>: dataset '<dataset>' <what>".
[[noreturn]] void wrong(const artifact::ArtifactReader& file, const std::string& dataset,
                        const std::string& what);

/// Throws InputError that names the first integer outside [0, bound); `allowed` marks entries that need not
/// be inside.
void require_range(const artifact::ArtifactReader& file, const std::string& dataset, const at::Tensor& values,
                   const at::Tensor& allowed, int64_t bound, const std::string& expected);

}  // namespace ritzflow::problem
