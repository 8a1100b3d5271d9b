#include "problem/sample_draw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/philox.h"

namespace ritzflow::problem {
namespace {

/// Indices of the samples with the smallest keys, in ascending order.
std::vector<int64_t> drawn(int64_t samples, int64_t count, uint64_t seed) {
  const Philox random(seed, "samples", "draw");
  std::vector<std::pair<uint64_t, int64_t>> keyed;
  for (int64_t s = 0; s < samples; ++s) keyed.emplace_back(random.bits(static_cast<uint64_t>(s)), s);
  std::ranges::nth_element(keyed, keyed.begin() + count - 1);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i) indices.push_back(keyed[static_cast<size_t>(i)].second);
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
