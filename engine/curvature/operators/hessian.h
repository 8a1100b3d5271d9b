#pragma once
#include <memory>

#include "krylov/process/linear_operator.h"
#include "problem/empirical_risk.h"

namespace ritzflow::curvature {

/// H = (1/W) sum_i w_i d2 l(f(theta, x_i), y_i) / dtheta2; symmetric, in general indefinite.
std::unique_ptr<krylov::LinearOperator> make_hessian(std::shared_ptr<const problem::EmpiricalRisk> risk,
                                                     HessianMode mode = HessianMode::reverse_over_reverse);

}  // namespace ritzflow::curvature
