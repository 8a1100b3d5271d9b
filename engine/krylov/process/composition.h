#pragma once
#include <memory>
#include <vector>

#include "krylov/process/linear_operator.h"

/// Operators made of operators; each owns its parts. All parts have one dimension, else
/// std::invalid_argument.
namespace ritzflow::krylov {

using OperatorPointer = std::unique_ptr<LinearOperator>;

/// sum_i c_i A_i, added in the order of the list.
OperatorPointer make_sum(std::vector<double> coefficients, std::vector<OperatorPointer> parts);

/// c A.
OperatorPointer make_scaled(double c, OperatorPointer a);

/// A + sigma I.
OperatorPointer make_shifted(OperatorPointer a, double sigma);

}  // namespace ritzflow::krylov
