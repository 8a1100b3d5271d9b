#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "problem/empirical_risk.h"

namespace ritzflow::curvature {

/// The gradient of every sample's loss, a row each: G [samples, n] with G_s = sum_t w_t dl_t/dtheta / sum_t
/// w_t over the rows t of sample s (zero where all are masked). One forward and one backward pass with taps,
/// then a batched matrix product a layer. Empty where the network has parameters that no tap covers.
std::optional<at::Tensor> sample_gradients(const problem::EmpiricalRisk& risk, const problem::Batch& batch);

/// Sum of the weights of each sample's rows [samples].
at::Tensor sample_weights(const problem::Batch& batch, int64_t rows_per_sample);

}  // namespace ritzflow::curvature
