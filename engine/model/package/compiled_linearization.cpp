#include "model/package/compiled_linearization.h"

#include <ATen/core/grad_mode.h>

#include <utility>

namespace ritzflow::model {
namespace {

class CompiledLinearization : public Linearization {
 public:
  explicit CompiledLinearization(PreparedBatch batch) : batch_(std::move(batch)) {
    batch_.keep_for({"jvp", "vjp"});
  }

  const at::Tensor& features() const override { return batch_.logits(); }

  at::Tensor jvp(const ParamTensors& v) override {
    SlotValues values = batch_.values();
    batch_.set_direction(values, v);
    batch_.package().run_last("jvp", values);
    return batch_.rows_of(values, "u");
  }

  ParamTensors vjp(const at::Tensor& w) override {
    SlotValues values = batch_.values();
    batch_.set_rows(values, "w", w);
    batch_.package().run_last("vjp", values);
    return batch_.all_of(values, "g");
  }

 private:
  PreparedBatch batch_;
};

class CompiledHessian : public HessianLinearization {
 public:
  CompiledHessian(PreparedBatch batch, const Loss& loss, const at::Tensor& targets, const at::Tensor& weights)
      : batch_(std::move(batch)), loss_(loss), targets_(targets), weights_(weights) {
    const at::AutoGradMode no_grad(false);
    batch_.set_rows("r", loss.gradient(batch_.logits(), targets, weights));
    batch_.add("hvp_primal");
    batch_.keep_for({"hvp_jvp", "hvp_vjp"});
  }

  ParamTensors hvp(const ParamTensors& v) override { return product(batch_.values(), v); }
  ParamTensors last_hvp(const ParamTensors& v) override { return product(batch_.take_values(), v); }

 private:
  ParamTensors product(SlotValues values, const ParamTensors& v) const {
    const at::AutoGradMode no_grad(false);
    batch_.set_direction(values, v);
    batch_.package().run("hvp_jvp", values);
    const at::Tensor u = batch_.rows_of(values, "u_of_hessian");
    batch_.set_rows(values, "s", loss_.curvature(batch_.logits(), targets_, weights_, u));
    batch_.package().keep_for({"hvp_vjp"}, values);
    batch_.package().run_last("hvp_vjp", values);
    return batch_.all_of(values, "h");
  }

  PreparedBatch batch_;
  const Loss& loss_;
  at::Tensor targets_, weights_;
};

}  // namespace

std::unique_ptr<Linearization> linearize_package(PreparedBatch batch) {
  return std::make_unique<CompiledLinearization>(std::move(batch));
}

std::unique_ptr<HessianLinearization> linearize_package_gradient(PreparedBatch batch, const Loss& loss,
                                                                 const at::Tensor& targets,
                                                                 const at::Tensor& weights) {
  return std::make_unique<CompiledHessian>(std::move(batch), loss, targets, weights);
}

}  // namespace ritzflow::model
