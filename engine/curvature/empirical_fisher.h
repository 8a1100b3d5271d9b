#pragma once
#include <memory>

#include "curvature/empirical_risk.h"
#include "krylov/linear_operator.h"

namespace ritzflow {

/// The empirical Fisher matrix E = (1/W) sum_i w_i g_i g_i' with g_i = grad l(f(theta, x_i), y_i) of each
/// row; positive semi-definite. A row is a sample, in language modelling a token (`fisher_unit`): the loss
/// averages over tokens, and so does E. Gradients of whole sequences would give another matrix.
std::unique_ptr<LinearOperator> make_empirical_fisher(std::shared_ptr<const EmpiricalRisk> risk);

}  // namespace ritzflow
