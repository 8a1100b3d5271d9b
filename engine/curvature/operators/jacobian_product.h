#pragma once
#include <functional>
#include <memory>

#include "krylov/process/linear_operator.h"
#include "model/autodiff/head.h"
#include "problem/empirical_risk.h"

namespace ritzflow::curvature {

/// Makes B of a micro-batch: on its logits symmetric, positive semi-definite, block-diagonal by row.
using MakeRowMap = std::function<model::RowMap(const problem::Batch& batch, const model::Head& head)>;

/// A = (1/W) sum_b J_b' B_b J_b with J_b = dz_b/dtheta the Jacobian of the logits: the generalised
/// Gauss-Newton matrix and all Fisher matrices differ in B alone. One product costs a JVP and a VJP.
std::unique_ptr<krylov::LinearOperator> make_jacobian_product(
    std::shared_ptr<const problem::EmpiricalRisk> risk, MakeRowMap make_row_map);

/// B u = w_i r_i r_i' u_i in row i with r_i = dl(z_i, y_i)/dz_i: the outer products of the rows' gradients
/// g_i g_i' = J_i' r_i r_i' J_i without forming g_i.
model::RowMap gradient_outer_products(const model::Loss& loss, const at::Tensor& targets,
                                      const at::Tensor& weights);

}  // namespace ritzflow::curvature
