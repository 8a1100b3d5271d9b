#include "curvature/operators/hessian.h"

#include "model/autodiff/linearization.h"
#include "problem/batch_cache.h"

namespace ritzflow::curvature {
namespace {

class Hessian : public krylov::LinearOperator {
 public:
  Hessian(std::shared_ptr<const problem::EmpiricalRisk> risk, HessianMode mode)
      : risk_(std::move(risk)),
        mode_(mode),
        gradients_(*risk_, [this](int64_t b, model::Lifetime) { return linearize_batch(b); }) {}

  int64_t dim() const override { return risk_->dim(); }

  void apply(VectorView v, VectorSpan out) override {
    const model::ParamTensors direction = risk_->tensors(v);
    const bool once = risk_->options().lifetime == model::Lifetime::one_product;
    const auto product = [&](int64_t b) {
      const auto gradient = gradients_.at(b);
      return once ? gradient->last_hvp(direction) : gradient->hvp(direction);
    };
    risk_->accumulate(product, out);
  }

 private:
  std::shared_ptr<model::HessianLinearization> linearize_batch(int64_t b) const {
    const problem::Batch batch = risk_->batch(b);
    return risk_->network().linearize_gradient(risk_->loss_function(), risk_->theta(), batch.inputs,
                                               batch.targets, batch.weights, mode_);
  }

  std::shared_ptr<const problem::EmpiricalRisk> risk_;
  HessianMode mode_;
  problem::BatchCache<model::HessianLinearization> gradients_;
};

}  // namespace

std::unique_ptr<krylov::LinearOperator> make_hessian(std::shared_ptr<const problem::EmpiricalRisk> risk,
                                                     HessianMode mode) {
  return std::make_unique<Hessian>(std::move(risk), mode);
}

}  // namespace ritzflow::curvature
