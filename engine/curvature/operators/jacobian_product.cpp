#include "curvature/operators/jacobian_product.h"

#include <ATen/ATen.h>

#include "model/autodiff/linearization.h"
#include "problem/batch_cache.h"

namespace ritzflow::curvature {
namespace {

/// J and B of one micro-batch.
struct OutputCurvature {
  model::LinearizedOutputs outputs;
  model::RowMap row_map;
};

class JacobianProduct : public krylov::LinearOperator {
 public:
  JacobianProduct(std::shared_ptr<const problem::EmpiricalRisk> risk, MakeRowMap make_row_map)
      : risk_(std::move(risk)),
        make_row_map_(std::move(make_row_map)),
        parts_(*risk_, [this](int64_t b, model::Lifetime lifetime) { return make_part(b, lifetime); }) {}

  int64_t dim() const override { return risk_->dim(); }

  void apply(VectorView v, VectorSpan out) override {
    const model::ParamTensors direction = risk_->tensors(v);
    const auto product = [&](int64_t b) {
      const auto part = parts_.at(b);
      return part->outputs.gauss_newton(direction, part->row_map);
    };
    risk_->accumulate(product, out);
  }

 private:
  std::shared_ptr<OutputCurvature> make_part(int64_t b, model::Lifetime lifetime) const {
    const problem::Batch batch = risk_->batch(b);
    model::LinearizedOutputs outputs(risk_->network(), risk_->theta(), batch.inputs, lifetime);
    model::RowMap row_map = make_row_map_(batch, outputs.head());
    return std::make_shared<OutputCurvature>(std::move(outputs), std::move(row_map));
  }

  std::shared_ptr<const problem::EmpiricalRisk> risk_;
  MakeRowMap make_row_map_;
  problem::BatchCache<OutputCurvature> parts_;
};

}  // namespace

std::unique_ptr<krylov::LinearOperator> make_jacobian_product(
    std::shared_ptr<const problem::EmpiricalRisk> risk, MakeRowMap make_row_map) {
  return std::make_unique<JacobianProduct>(std::move(risk), std::move(make_row_map));
}

model::RowMap gradient_outer_products(const model::Loss& loss, const at::Tensor& targets,
                                      const at::Tensor& weights) {
  // A row of weight 0 may have any target: its gradient is never formed.
  const at::Tensor counts = weights.gt(0).to(weights.scalar_type());
  return [&loss, targets, counts, weights](const model::RowBlock& rows, const at::Tensor& z,
                                           const at::Tensor& u) {
    const at::Tensor r = loss.gradient(z, rows.of(targets), rows.of(counts));
    return (r * u).sum(1, /*keepdim=*/true) * rows.of(weights).unsqueeze(1) * r;
  };
}

}  // namespace ritzflow::curvature
