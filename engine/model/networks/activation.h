#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace ritzflow::model {

/// An elementwise nonlinearity, twice differentiable by autograd (relu: almost everywhere).
using Activation = at::Tensor (*)(const at::Tensor&);

/// tanh, relu, gelu (exact, with erf), silu, identity.
const std::vector<std::string>& activation_names();

/// Throws InputError on a name that is not in activation_names().
Activation make_activation(const std::string& name);

}  // namespace ritzflow::model
