#pragma once
#include <memory>

#include "model/autodiff/network.h"

namespace ritzflow::model {

/// The same network with features computed in bfloat16 from float32 parameters, and handed on in float32.
/// Statistics of norms and softmax, the output layer, the loss and all sums stay in float32.
std::shared_ptr<const Network> in_bfloat16(std::shared_ptr<const Network> network);

}  // namespace ritzflow::model
