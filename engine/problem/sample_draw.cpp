#include "problem/sample_draw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/random_order.h"

namespace ritzflow::problem {
namespace {

/// Indices of the first `count` samples of a random order, ascending.
std::vector<int64_t> drawn(int64_t samples, int64_t count, uint64_t seed) {
  std::vector<int64_t> indices = random_order(Philox(seed, "samples", "draw"), samples);
  indices.resize(static_cast<size_t>(count));
  std::ranges::sort(indices);
  return indices;
}

}  // namespace

Dataset draw_samples(const Dataset& data, int64_t count, uint64_t seed) {
  if (count > data.samples) {
    throw InputError(fmt::format("--samples is {}, but there are {} samples", count, data.samples));
  }
  const at::Tensor index = at::tensor(drawn(data.samples, count, seed), at::kLong);
  const auto of_rows = [&](const at::Tensor& rows) {
    return rows.unflatten(0, {data.samples, data.rows_per_sample}).index_select(0, index).flatten(0, 1);
  };
  Dataset part = data;
  part.inputs = data.inputs.index_select(0, index);
  part.targets = of_rows(data.targets);
  part.weights = of_rows(data.weights);
  part.samples = count;
  part.total_weight = part.weights.sum().item<double>();
  if (!(part.total_weight > 0)) {
    throw InputError(
        fmt::format("--samples {}: every row of these samples is masked or has weight 0", count));
  }
  return part;
}

}  // namespace ritzflow::problem
