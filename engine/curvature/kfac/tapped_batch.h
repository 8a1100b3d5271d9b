#pragma once
#include <functional>

#include "curvature/kfac/kfac_cotangents.h"
#include "curvature/kfac/kfac_moments.h"
#include "model/autodiff/taps.h"
#include "problem/empirical_risk.h"

namespace ritzflow::curvature {

/// One forward pass of a micro-batch with its graph, and the cotangents to send back through it.
class TappedBatch {
 public:
  TappedBatch(const problem::EmpiricalRisk& risk, int64_t b, const CotangentOptions& options);

  /// Moments of each tap.
  std::vector<TapMoments> moments(WeightSharing sharing) const;

  /// use(gradients) for every cotangent, a gradient a tap: all of them come from one backward pass.
  void for_each_gradient(const std::function<void(const std::vector<at::Tensor>&)>& use) const;

 private:
  const model::ParamSpace& space_;
  problem::Batch batch_;
  model::Taps taps_;
  at::Tensor logits_;
  model::ParamTensors outputs_;
  Cotangents cotangents_;
};

}  // namespace ritzflow::curvature
