#include "curvature/operators/empirical_fisher.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "core/error.h"
#include "curvature/operators/jacobian_product.h"
#include "curvature/operators/sample_gradients.h"
#include "model/autodiff/linearization.h"
#include "problem/batch_cache.h"

namespace ritzflow::curvature {
namespace {

/// What one micro-batch needs: its Jacobian, or the gradients of its samples.
struct SamplePart {
  std::optional<model::LinearizedOutputs> outputs;
  at::Tensor gradients;  ///< [samples, n], where they are kept
};

class SampleFisher : public krylov::LinearOperator {
 public:
  SampleFisher(std::shared_ptr<const problem::EmpiricalRisk> risk, double clip)
      : risk_(std::move(risk)),
        clip_(clip),
        clipped_(static_cast<size_t>(risk_->batches())),
        parts_(*risk_, [this](int64_t b, model::Lifetime lifetime) { return make_part(b, lifetime); }) {}

  int64_t dim() const override { return risk_->dim(); }

  void apply(VectorView v, VectorSpan out) override {
    const at::Tensor flat = risk_->flat(v);
    const model::ParamTensors direction = risk_->network().params().blobs(flat);
    const auto product = [&](int64_t b) {
      const at::AutoGradMode no_grad(false);
      const auto part = parts_.at(b);
      return part->gradients.defined() ? by_gradients(*part, b, flat) : by_jacobian(*part, b, direction);
    };
    risk_->accumulate(product, out);
  }

 private:
  std::shared_ptr<SamplePart> make_part(int64_t b, model::Lifetime lifetime) {
    const problem::Batch batch = risk_->batch(b);
    const auto part = std::make_shared<SamplePart>();
    const int64_t bytes = problem::allocation_of(risk_->options().device, [&] {
                            part->outputs.emplace(risk_->network(), risk_->theta(), batch.inputs, lifetime);
                          }).kept;
    // Reading gradients costs what reading activations costs: they pay where they are not larger.
    const int64_t rows = batch.inputs.size(0) * dim() * part->outputs->head().item_size();
    const bool by_rows = lifetime == model::Lifetime::many_products && rows <= bytes;
    if (by_rows || (clip_ > 0 && !factor(b).defined())) gradients_of(b, batch, by_rows, *part);
    return part;
  }

  /// Forms the gradients once: for the clipping factors, and to keep them where `keep`.
  void gradients_of(int64_t b, const problem::Batch& batch, bool keep, SamplePart& part) {
    const at::AutoGradMode no_grad(false);
    const auto gradients = sample_gradients(*risk_, batch);
    if (!gradients && clip_ > 0) {
      throw InputError("--fisher-clip needs the gradients of samples, which this network does not offer");
    }
    if (!gradients) return;
    if (clip_ > 0) {
      const at::Tensor length = gradients->to(at::kDouble).norm(2, at::IntArrayRef{1});
      factor(b) = (clip_ / length).clamp_max(1).square().to(gradients->scalar_type());
    }
    if (!keep) return;
    part.gradients = *gradients;
    part.outputs.reset();
  }

  at::Tensor& factor(int64_t b) { return clipped_[static_cast<size_t>(b)]; }

  /// f_s: what clipping leaves of g_s g_s', times `weights`.
  at::Tensor with_clipping(int64_t b, const at::Tensor& weights) {
    return factor(b).defined() ? weights * factor(b) : weights;
  }

  // G' diag(f w) G v
  model::ParamTensors by_gradients(const SamplePart& part, int64_t b, const at::Tensor& v) {
    const at::Tensor weights = sample_weights(risk_->batch(b), risk_->rows_per_sample());
    const at::Tensor projections = at::mv(part.gradients, v) * with_clipping(b, weights);
    return risk_->network().params().blobs(at::mv(part.gradients.t(), projections));
  }

  // g_s'v = (1/w_s) sum_t w_t r_t'u_t with u = J v; then J' of w_t r_t f_s g_s'v.
  model::ParamTensors by_jacobian(SamplePart& part, int64_t b, const model::ParamTensors& v) {
    const problem::Batch batch = risk_->batch(b);
    const model::RowVector r = model::loss_gradient(risk_->loss_function(), batch.targets, batch.weights);
    const at::Tensor projections = at::empty_like(batch.weights);
    part.outputs->jvp(v, [&](const model::RowBlock& rows, const at::Tensor& z, const at::Tensor& u) {
      rows.of(projections).copy_((r(rows, z) * u).sum(1));
    });
    const int64_t per_sample = risk_->rows_per_sample();
    const at::Tensor weights = sample_weights(batch, per_sample);
    const at::Tensor sums = projections.view({-1, per_sample}).sum(1);
    const at::Tensor means = at::where(weights.gt(0), sums / weights, at::zeros_like(sums));
    const at::Tensor scale = with_clipping(b, means).repeat_interleave(per_sample).unsqueeze(1);
    return part.outputs->vjp(
        [&](const model::RowBlock& rows, const at::Tensor& z) { return r(rows, z) * rows.of(scale); });
  }

  std::shared_ptr<const problem::EmpiricalRisk> risk_;
  double clip_;
  std::vector<at::Tensor> clipped_;  ///< factors of each micro-batch [samples], once they are known
  problem::BatchCache<SamplePart> parts_;
};

}  // namespace

std::unique_ptr<krylov::LinearOperator> make_empirical_fisher(
    std::shared_ptr<const problem::EmpiricalRisk> risk, const EmpiricalFisherOptions& options) {
  if (!(options.clip >= 0)) {
    throw InputError(fmt::format("--fisher-clip is {}, expected an L2 norm >= 0 (0: none)", options.clip));
  }
  const bool one_row = risk->rows_per_sample() == 1;
  if (options.clip > 0 && options.unit != FisherUnit::sample && !one_row) {
    throw InputError("--fisher-clip bounds the gradients of samples: it needs --fisher-unit sample here");
  }
  if (one_row || options.unit == FisherUnit::sample) {
    return std::make_unique<SampleFisher>(std::move(risk), options.clip);
  }
  const auto outer = [loss = &risk->loss_function()](const problem::Batch& batch, const model::Head&) {
    return gradient_outer_products(*loss, batch.targets, batch.weights);
  };
  return make_jacobian_product(std::move(risk), outer);
}

}  // namespace ritzflow::curvature
