#pragma once
#include <memory>

#include "krylov/process/linear_operator.h"
#include "problem/empirical_risk.h"

namespace ritzflow::curvature {

/// The generalised Gauss-Newton matrix G = (1/W) sum_i w_i J_i' (d2l/dz2)_i J_i; positive semi-definite. For
/// cross-entropy and mean squared error it is the true Fisher matrix (Martens 2020, JMLR 21, section 9).
std::unique_ptr<krylov::LinearOperator> make_ggn(std::shared_ptr<const problem::EmpiricalRisk> risk);

/// `ggn_mode empirical`: g g' with the gradient g = grad L(theta) of the whole risk. Rank one, and no
/// approximation of the Gauss-Newton matrix; kept because published code calls it one.
std::unique_ptr<krylov::LinearOperator> make_gradient_outer_product(const problem::EmpiricalRisk& risk);

}  // namespace ritzflow::curvature
