#pragma once
#include <cstdint>
#include <memory>

#include "krylov/process/linear_operator.h"
#include "problem/empirical_risk.h"

namespace ritzflow::curvature {

/// Targets of the rows first_row, first_row + 1, ... drawn from the model's own distribution: y ~
/// softmax(z_i) for cross-entropy, y ~ N(z_i, I) for mean squared error, y_c ~ Bernoulli(sigma(z_ic)) for
/// binary cross-entropy. Draw number `draw` of row i depends
/// on (seed, i, draw) and z_i alone, so neither batches nor threads change it.
at::Tensor draw_targets(const model::Loss& loss, const at::Tensor& logits, int64_t first_row, uint64_t seed,
                        int64_t draw);

/// Monte-Carlo estimate of the true Fisher matrix with S = `samples` draws y_is a row, fixed for the
/// operator's life: F = (1/W) sum_i w_i (1/S) sum_s g_is g_is',   g_is = grad l(f(theta, x_i), y_is).
/// Positive semi-definite; its expectation is the generalised Gauss-Newton matrix. Throws InputError if S
/// < 1.
std::unique_ptr<krylov::LinearOperator> make_mc_fisher(std::shared_ptr<const problem::EmpiricalRisk> risk,
                                                       int64_t samples, uint64_t seed);

}  // namespace ritzflow::curvature
