#include "curvature/kfac/tapped_batch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

namespace ritzflow::curvature {

TappedBatch::TappedBatch(const problem::EmpiricalRisk& risk, int64_t b, const CotangentOptions& options)
    : space_(risk.network().params()), batch_(risk.batch(b)) {
  const at::AutoGradMode grad_mode(true);
  model::ParamTensors leaves;
  for (const at::Tensor& t : risk.theta()) leaves.push_back(t.detach().requires_grad_());
  logits_ = risk.network().forward_with_taps(leaves, batch_.inputs, taps_);
  for (const model::Tap& tap : taps_) outputs_.push_back(tap.output);
  const at::AutoGradMode no_grad(false);
  cotangents_ =
      make_cotangents(risk.loss_function(), batch_, logits_.detach(), risk.rows_per_sample(), options);
}

std::vector<TapMoments> TappedBatch::moments(WeightSharing sharing) const {
  std::vector<TapMoments> all;
  for (const model::Tap& tap : taps_) {
    const int64_t table_rows = space_.parameters()[tap.layer.weight].shape[0];
    all.emplace_back(tap, batch_.weights, batch_.inputs.size(0), sharing, table_rows);
  }
  return all;
}

void TappedBatch::for_each_gradient(const std::function<void(const std::vector<at::Tensor>&)>& use) const {
  const at::AutoGradMode no_grad(false);
  for (int64_t k = 0; k < cotangents_.count; ++k) {
    auto gradients = torch::autograd::grad({logits_}, outputs_, {cotangents_.at(k)},
                                           /*retain_graph=*/k + 1 < cotangents_.count,
                                           /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (!gradients[i].defined()) gradients[i] = at::zeros_like(outputs_[i]);
    }
    use(gradients);
  }
}

}  // namespace ritzflow::curvature
