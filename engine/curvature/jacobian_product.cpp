#include "curvature/jacobian_product.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "curvature/batch_cache.h"
#include "model/linearization.h"

namespace ritzflow {
namespace {

/// J and B of one micro-batch.
struct OutputCurvature {
  std::unique_ptr<Linearization> jacobian;
  OutputMap output_map;
};

class JacobianProduct : public LinearOperator {
 public:
  JacobianProduct(std::shared_ptr<const EmpiricalRisk> risk, MakeOutputMap make_output_map)
      : risk_(std::move(risk)),
        make_output_map_(std::move(make_output_map)),
        parts_(*risk_, [this](int64_t b) { return make_part(b); }) {}

  int64_t dim() const override { return risk_->dim(); }

  void apply(VectorView v, VectorSpan out) override {
    const ParamTensors direction = risk_->tensors(v);
    const auto product = [&](int64_t b) {
      const auto part = parts_.at(b);
      return part->jacobian->vjp(part->output_map(part->jacobian->jvp(direction)));
    };
    risk_->accumulate(product, out);
  }

 private:
  std::shared_ptr<OutputCurvature> make_part(int64_t b) const {
    const Batch batch = risk_->batch(b);
    auto jacobian = linearize(risk_->network(), risk_->theta(), batch.inputs);
    auto output_map = make_output_map_(batch, jacobian->logits());
    return std::make_shared<OutputCurvature>(std::move(jacobian), std::move(output_map));
  }

  std::shared_ptr<const EmpiricalRisk> risk_;
  MakeOutputMap make_output_map_;
  BatchCache<OutputCurvature> parts_;
};

}  // namespace

std::unique_ptr<LinearOperator> make_jacobian_product(std::shared_ptr<const EmpiricalRisk> risk,
                                                      MakeOutputMap make_output_map) {
  return std::make_unique<JacobianProduct>(std::move(risk), std::move(make_output_map));
}

OutputMap gradient_outer_products(const Loss& loss, const at::Tensor& logits, const at::Tensor& targets,
                                  const at::Tensor& weights) {
  const at::AutoGradMode no_grad(false);
  const at::Tensor r = loss.gradient(logits, targets, at::ones_like(weights));
  const at::Tensor w = weights.unsqueeze(1);
  return [r, w](const at::Tensor& u) { return w * r * (r * u).sum(1, /*keepdim=*/true); };
}

}  // namespace ritzflow
