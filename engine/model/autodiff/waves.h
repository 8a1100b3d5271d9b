#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace ritzflow::model {

/// sin(phi (stream + 1) i), i = first + 1 .. first + count, phi the golden ratio, float64: fixed vectors that
/// Python makes alike (stages/scripts/ritzflow/export/module/tensors.py).
at::Tensor wave(int64_t count, int64_t stream, int64_t first = 0);

/// One wave cut into pieces of the shapes, types and devices of `tensors`.
std::vector<at::Tensor> waves_like(const std::vector<at::Tensor>& tensors, int64_t stream);

/// An input of a model on the device of `options`: token i is 7919 i modulo `vocabulary`; a real input
/// (`vocabulary` 0) is a wave of their type.
at::Tensor check_input(const std::vector<int64_t>& shape, int64_t vocabulary,
                       const at::TensorOptions& options);

}  // namespace ritzflow::model
