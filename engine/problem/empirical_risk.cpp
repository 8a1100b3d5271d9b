#include "problem/empirical_risk.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/ordered_reduce.h"
#include "model/autodiff/linearization.h"
#include "model/autodiff/low_precision.h"
#include "model/torch_setup.h"

namespace ritzflow::problem {
namespace {

at::Tensor as_tensor(VectorSpan out) {
  return at::from_blob(out.data(), {static_cast<int64_t>(out.size())}, at::kDouble);
}

/// The type of parameters, vectors, output layer and loss.
at::ScalarType vector_type(at::ScalarType compute) {
  if (compute == at::kBFloat16) return at::kFloat;
  if (compute == at::kFloat || compute == at::kDouble) return compute;
  throw InputError("products are computed in float32, float64 or bfloat16");
}

}  // namespace

EmpiricalRisk::EmpiricalRisk(std::shared_ptr<const model::Network> network,
                             std::shared_ptr<const model::Loss> loss, const Dataset& data,
                             const at::Tensor& theta, const RiskOptions& options)
    : network_(std::move(network)),
      loss_(std::move(loss)),
      options_(options),
      inputs_(data.inputs),
      targets_(data.targets),
      weights_(data.weights),
      samples_(data.samples),
      rows_per_sample_(data.rows_per_sample),
      total_weight_(data.total_weight) {
  if (options.batch_size < 1) {
    throw InputError(fmt::format("--batch-size is {}, expected at least 1 sample", options.batch_size));
  }
  if (options.compute_threads < 1) {
    throw InputError(fmt::format("--compute-threads is {}, expected at least 1", options.compute_threads));
  }
  // The order of sums inside LibTorch changes with the number of its threads.
  model::set_up_torch(options.compute_threads);
  const at::ScalarType dtype = vector_type(options.dtype);
  if (options.dtype == at::kBFloat16) network_ = model::in_bfloat16(network_);
  const auto placed = [&](const at::Tensor& t) {
    return t.to(options.device, t.is_floating_point() ? dtype : t.scalar_type());
  };
  inputs_ = placed(inputs_);
  targets_ = placed(targets_);
  weights_ = placed(weights_);
  theta_ = network_->params().blobs(theta.to(options.device, dtype, /*non_blocking=*/false, /*copy=*/true));
  if (!options.device.is_cpu()) options_.in_flight = 1;  // one micro-batch keeps it busy
}

Batch EmpiricalRisk::batch(int64_t b) const {
  const int64_t first = b * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, samples_ - first);
  const auto rows = [&](const at::Tensor& t) {
    return t.narrow(0, first * rows_per_sample_, count * rows_per_sample_);
  };
  return {inputs_.narrow(0, first, count), rows(targets_), rows(weights_), first * rows_per_sample_};
}

EmpiricalRisk EmpiricalRisk::cut(int64_t batch_size, model::Lifetime lifetime, int64_t in_flight) const {
  EmpiricalRisk same = *this;
  same.options_.batch_size = batch_size;
  same.options_.lifetime = lifetime;
  same.options_.in_flight = in_flight;
  return same;
}

int64_t EmpiricalRisk::resident_bytes() const {
  size_t bytes = 0;
  for (const at::Tensor& t : {inputs_, targets_, weights_}) bytes += t.nbytes();
  for (const at::Tensor& t : theta_) bytes += t.nbytes();
  return static_cast<int64_t>(bytes);
}

int64_t EmpiricalRisk::counted_rows() const { return weights_.gt(0).sum().item<int64_t>(); }

EmpiricalRisk EmpiricalRisk::first_samples(int64_t count, model::Lifetime lifetime) const {
  EmpiricalRisk few = *this;
  few.samples_ = few.options_.batch_size = std::min(count, samples_);
  few.options_.lifetime = lifetime;
  return few;
}

double EmpiricalRisk::loss() const {
  double sum = 0;
  const auto value = [&](int64_t b) {
    const at::AutoGradMode no_grad(false);
    const Batch part = batch(b);
    const model::Head head(network_->features(theta_, part.inputs), network_->output_layer(), theta_);
    double partial = 0;
    head.for_each_block([&](const model::RowBlock& rows, const at::Tensor& z) {
      partial += loss_->value(z, rows.of(part.targets), rows.of(part.weights)).item<double>();
    });
    return partial;
  };
  ordered_reduce(batches(), value, [&](double l) { sum += l; }, options_.in_flight);
  return sum / total_weight_;
}

void EmpiricalRisk::gradient(VectorSpan out) const {
  const auto product = [&](int64_t b) {
    const Batch part = batch(b);
    model::LinearizedOutputs outputs(*network_, theta_, part.inputs, model::Lifetime::one_product);
    return outputs.vjp(model::loss_gradient(*loss_, part.targets, part.weights));
  };
  accumulate(product, out);
}

at::Tensor EmpiricalRisk::flat(VectorView v) const {
  const auto view = at::from_blob(const_cast<double*>(v.data()), {dim()}, at::kDouble);
  return view.to(options_.device, vector_type(options_.dtype), /*non_blocking=*/true, /*copy=*/true);
}

model::ParamTensors EmpiricalRisk::tensors(VectorView v) const { return network_->params().blobs(flat(v)); }

void EmpiricalRisk::accumulate(const BatchProduct& product, VectorSpan out) const {
  const at::Tensor result = as_tensor(out);
  const at::Tensor sum = options_.device.is_cpu() ? result : at::empty_like(result, options_.device);
  const auto& parameters = network_->params().parameters();
  bool first = true;
  const auto add = [&](const model::ParamTensors& part) {
    const at::AutoGradMode no_grad(false);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const at::Tensor own = sum.narrow(0, parameters[i].offset, parameters[i].size);
      first ? own.copy_(part[i].reshape({-1})) : own.add_(part[i].reshape({-1}));
    }
    first = false;
  };
  ordered_reduce(batches(), product, add, options_.in_flight);
  sum.div_(total_weight_);
  if (!sum.is_same(result)) result.copy_(sum);  // waits for the device
}

}  // namespace ritzflow::problem
