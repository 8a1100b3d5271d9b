#include "curvature/empirical_risk.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/error.h"
#include "core/ordered_reduce.h"
#include "model/linearization.h"

namespace ritzflow {
namespace {

at::Tensor as_tensor(VectorSpan out) {
  return at::from_blob(out.data(), {static_cast<int64_t>(out.size())}, at::kDouble);
}

}  // namespace

int64_t default_memory_budget() { return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE) / 4; }

EmpiricalRisk::EmpiricalRisk(std::shared_ptr<const Network> network, std::shared_ptr<const Loss> loss,
                             const Dataset& data, const at::Tensor& theta, const RiskOptions& options)
    : network_(std::move(network)),
      loss_(std::move(loss)),
      options_(options),
      inputs_(data.inputs),
      targets_(data.targets),
      weights_(data.weights.to(options.dtype)),
      samples_(data.samples),
      rows_per_sample_(data.rows_per_sample),
      total_weight_(data.total_weight) {
  if (options.batch_size < 1) {
    throw InputError(fmt::format("--batch-size is {}, expected at least 1 sample", options.batch_size));
  }
  if (options.dtype != at::kFloat && options.dtype != at::kDouble) {
    throw InputError("products are computed in float32 or float64");
  }
  // One compute thread a micro-batch: several would change the order of sums inside LibTorch with their
  // number.
  at::set_num_threads(1);
  if (inputs_.is_floating_point()) inputs_ = inputs_.to(options.dtype);
  if (targets_.is_floating_point()) targets_ = targets_.to(options.dtype);
  theta_ = network_->params().blobs(theta.to(options.dtype).clone());
}

Batch EmpiricalRisk::batch(int64_t b) const {
  const int64_t first = b * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, samples_ - first);
  const auto rows = [&](const at::Tensor& t) {
    return t.narrow(0, first * rows_per_sample_, count * rows_per_sample_);
  };
  return {inputs_.narrow(0, first, count), rows(targets_), rows(weights_), first * rows_per_sample_};
}

double EmpiricalRisk::loss() const {
  double sum = 0;
  const auto value = [&](int64_t b) {
    const at::AutoGradMode no_grad(false);
    const Batch part = batch(b);
    const Head head(network_->features(theta_, part.inputs), network_->output_layer(), theta_);
    double partial = 0;
    head.for_each_block([&](const RowBlock& rows, const at::Tensor& z) {
      partial += loss_->value(z, rows.of(part.targets), rows.of(part.weights)).item<double>();
    });
    return partial;
  };
  ordered_reduce(batches(), value, [&](double l) { sum += l; });
  return sum / total_weight_;
}

void EmpiricalRisk::gradient(VectorSpan out) const {
  const auto product = [&](int64_t b) {
    const Batch part = batch(b);
    LinearizedOutputs outputs(*network_, theta_, part.inputs, Lifetime::one_product);
    return outputs.vjp(loss_gradient(*loss_, part.targets, part.weights));
  };
  accumulate(product, out);
}

ParamTensors EmpiricalRisk::tensors(VectorView v) const {
  const auto flat = at::from_blob(const_cast<double*>(v.data()), {dim()}, at::kDouble);
  return network_->params().blobs(flat.to(options_.dtype, /*non_blocking=*/false, /*copy=*/true));
}

void EmpiricalRisk::accumulate(const BatchProduct& product, VectorSpan out) const {
  at::Tensor sum = as_tensor(out).zero_();
  const auto& parameters = network_->params().parameters();
  const auto add = [&](const ParamTensors& part) {
    const at::AutoGradMode no_grad(false);
    for (size_t i = 0; i < parameters.size(); ++i) {
      sum.narrow(0, parameters[i].offset, parameters[i].size).add_(part[i].reshape({-1}));
    }
  };
  ordered_reduce(batches(), product, add);
  sum.div_(total_weight_);
}

}  // namespace ritzflow
