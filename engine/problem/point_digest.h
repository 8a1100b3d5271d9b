#pragma once
#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <string>

#include "model/autodiff/param_space.h"

namespace ritzflow::problem {

/// Digest of a network and its weights at one training step: SHA-256 of the architecture, the loss, and name,
/// shape and bytes of each parameter. Two models with the same one have the same curvature on the same data,
/// however they were trained and whichever other steps their files hold. `theta`: [n] float32.
std::string point_digest(const nlohmann::json& architecture, const std::string& loss,
                         const model::ParamSpace& params, const at::Tensor& theta);

}  // namespace ritzflow::problem
