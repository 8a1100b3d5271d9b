#include "curvature/operators/mc_fisher.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <functional>
#include <span>
#include <string>

#include "core/error.h"
#include "core/philox.h"
#include "curvature/operators/jacobian_product.h"

namespace ritzflow::curvature {
namespace {

/// Numbers [rows, columns] of one stream, drawn in host memory: the same on every device.
at::Tensor drawn(int64_t rows, int64_t columns, at::Device device,
                 const std::function<double(uint64_t)>& number, int64_t first_row) {
  const at::Tensor values = at::empty({rows, columns}, at::kDouble);
  const std::span<double> all(values.data_ptr<double>(), static_cast<size_t>(values.numel()));
  const auto first = static_cast<uint64_t>(first_row * columns);
  for (size_t k = 0; k < all.size(); ++k) all[k] = number(first + k);
  return values.to(device, /*non_blocking=*/true);
}

at::Tensor uniforms(int64_t columns, const at::Tensor& logits, int64_t first_row, const Philox& random) {
  return drawn(
      logits.size(0), columns, logits.device(), [&](uint64_t k) { return random.uniform(k); }, first_row);
}

/// Index c with cumulative probability F(c - 1) <= u F(C - 1) < F(c): the inverse of the distribution
/// function.
at::Tensor draw_classes(const at::Tensor& logits, int64_t first_row, const Philox& random) {
  const at::Tensor cdf = logits.to(at::kDouble).softmax(1).cumsum(1);
  const int64_t last = cdf.size(1) - 1;
  const at::Tensor u = uniforms(1, logits, first_row, random) * cdf.narrow(1, last, 1);
  return at::searchsorted(cdf.narrow(1, 0, last).contiguous(), u, /*out_int32=*/false, /*right=*/true)
      .squeeze(1);
}

at::Tensor draw_values(const at::Tensor& logits, int64_t first_row, const Philox& random) {
  const at::Tensor noise = drawn(
      logits.size(0), logits.size(1), logits.device(), [&](uint64_t k) { return random.normal(k); },
      first_row);
  return (logits.to(at::kDouble) + noise).to(logits.scalar_type());
}

/// y_c = 1 with probability sigma(z_c), each for itself.
at::Tensor draw_labels(const at::Tensor& logits, int64_t first_row, const Philox& random) {
  const at::Tensor uniform = uniforms(logits.size(1), logits, first_row, random);
  return uniform.lt(logits.to(at::kDouble).sigmoid()).to(logits.scalar_type());
}

/// Targets of all rows of a batch, block by block.
at::Tensor draw_batch(const model::Loss& loss, const model::Head& head, const problem::Batch& batch,
                      uint64_t seed, int64_t draw) {
  std::vector<at::Tensor> parts;
  head.for_each_block([&](const model::RowBlock& rows, const at::Tensor& z) {
    parts.push_back(draw_targets(loss, z, batch.first_row + rows.first, seed, draw));
  });
  return at::cat(parts);
}

}  // namespace

at::Tensor draw_targets(const model::Loss& loss, const at::Tensor& logits, int64_t first_row, uint64_t seed,
                        int64_t draw) {
  if (!loss.is_likelihood()) {
    throw Refusal(
        "targets cannot be drawn for the loss '" + loss.name() +
        "': it is not known as the negative logarithm of a distribution of y; use the operator ggn or "
        "empirical_fisher, and --fisher-type type2 or empirical");
  }
  const at::AutoGradMode no_grad(false);
  const Philox random(seed, "mc_fisher", "draw " + std::to_string(draw));
  if (loss.name() == "mse") return draw_values(logits, first_row, random);
  if (loss.name() == "bce") return draw_labels(logits, first_row, random);
  return draw_classes(logits, first_row, random);
}

std::unique_ptr<krylov::LinearOperator> make_mc_fisher(std::shared_ptr<const problem::EmpiricalRisk> risk,
                                                       int64_t samples, uint64_t seed) {
  if (samples < 1) throw InputError("--mc-samples is " + std::to_string(samples) + ", expected at least 1");
  const auto mean_outer = [loss = &risk->loss_function(), samples, seed](const problem::Batch& batch,
                                                                         const model::Head& head) {
    const at::Tensor weights = batch.weights / static_cast<double>(samples);
    std::vector<model::RowMap> draws;
    for (int64_t s = 0; s < samples; ++s) {
      draws.push_back(gradient_outer_products(*loss, draw_batch(*loss, head, batch, seed, s), weights));
    }
    return [draws](const model::RowBlock& rows, const at::Tensor& z, const at::Tensor& u) {
      at::Tensor sum = draws.front()(rows, z, u);
      for (size_t s = 1; s < draws.size(); ++s) sum += draws[s](rows, z, u);
      return sum;
    };
  };
  return make_jacobian_product(std::move(risk), mean_outer);
}

}  // namespace ritzflow::curvature
