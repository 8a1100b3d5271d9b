#pragma once
#include <memory>

#include "model/autodiff/linearization.h"
#include "model/package/prepared_batch.h"

namespace ritzflow::model {

/// J of a package's logits, by its functions `jvp` and `vjp`. The package outlives the result.
std::unique_ptr<Linearization> linearize_package(PreparedBatch batch);

/// The Hessian of the weighted loss sum, H v = J' s + d/dtheta <J' r, v> with r = dl/dz and s = (d2l/dz2) J
/// v: the loss stays outside the package. Package and loss outlive the result.
std::unique_ptr<HessianLinearization> linearize_package_gradient(PreparedBatch batch, const Loss& loss,
                                                                 const at::Tensor& targets,
                                                                 const at::Tensor& weights);

}  // namespace ritzflow::model
