#pragma once
#include <memory>

#include "krylov/process/linear_operator.h"
#include "problem/empirical_risk.h"
#include "settings/choices.h"

namespace ritzflow::curvature {

struct EmpiricalFisherOptions {
  FisherUnit unit = FisherUnit::token;  ///< automatic: token
  double clip = 0;  ///< gradients longer than this are scaled down to it; 0: none. Unit `sample` alone.
};

/// The empirical Fisher matrix, positive semi-definite:
///   token   E = (1/W) sum_i w_i g_i g_i'  with g_i = grad l(f(theta, x_i), y_i) of each row;
///   sample  E = (1/W) sum_s w_s g_s g_s'  with w_s = sum_t w_t and the mean gradient g_s = (1/w_s) sum_t w_t
///           g_t of the sample's rows t.
/// In both the weighted mean of the gradients is the gradient of the risk. With one row per sample they
/// agree. Where linearizations are kept, the unit is `sample` and they are not larger than that, the rows g_s
/// themselves are kept instead; else g_s' v comes from J v. `clip` is an L2 bound on every g_s. Throws
/// InputError on a clip below 0, and on one with tokens as units.
std::unique_ptr<krylov::LinearOperator> make_empirical_fisher(
    std::shared_ptr<const problem::EmpiricalRisk> risk, const EmpiricalFisherOptions& options = {});

}  // namespace ritzflow::curvature
