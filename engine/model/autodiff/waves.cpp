#include "model/autodiff/waves.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>

#include <functional>
#include <numbers>
#include <numeric>

namespace ritzflow::model {

at::Tensor wave(int64_t count, int64_t stream, int64_t first) {
  const double frequency = std::numbers::phi * static_cast<double>(stream + 1);
  return at::arange(first + 1, first + count + 1, at::kDouble).mul_(frequency).sin_();
}

std::vector<at::Tensor> waves_like(const std::vector<at::Tensor>& tensors, int64_t stream) {
  int64_t first = 0;
  std::vector<at::Tensor> pieces;
  for (const at::Tensor& t : tensors) {
    pieces.push_back(wave(t.numel(), stream, first).reshape(t.sizes()).to(t.options()));
    first += t.numel();
  }
  return pieces;
}

at::Tensor check_input(const std::vector<int64_t>& shape, int64_t vocabulary,
                       const at::TensorOptions& options) {
  const int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  if (vocabulary > 0)
    return (at::arange(1, count + 1, at::kLong) * 7919)
        .remainder(vocabulary)
        .reshape(shape)
        .to(options.device());
  return wave(count, 0).reshape(shape).to(options);
}

}  // namespace ritzflow::model
