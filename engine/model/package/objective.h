#pragma once
#include <memory>
#include <string>

#include "model/loss.h"

namespace ritzflow::model {

/// The loss of a module whose only output is the loss of a sample itself (`export_products.py
/// --objective`): l(z, y) = z, so that the Hessian is that of the mean output, and the gradients of samples
/// are rows of J. Its Gauss-Newton matrix is refused: an objective is not a function of outputs that it could
/// be of.
std::unique_ptr<Loss> make_objective(const std::string& name);

}  // namespace ritzflow::model
