#pragma once
#include "model/autodiff/param_space.h"
#include "model/autodiff/taps.h"
#include "model/package/prepared_batch.h"

namespace ritzflow::model {

/// z of the real rows, and appends the package's taps. To autograd the logits are a function of the taps'
/// outputs alone, whose backward pass is the package's: gradients with respect to them can be asked for like
/// those of any graph. The package outlives the graph.
at::Tensor forward_with_package_taps(PreparedBatch batch, const ParamSpace& params, Taps& taps);

}  // namespace ritzflow::model
