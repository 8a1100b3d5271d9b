#include "model/package/compiled_loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "model/autodiff/waves.h"
#include "model/package/prepared_batch.h"

namespace ritzflow::model {
namespace {

constexpr int64_t most_outputs_of_a_root = 64;

/// w t with 0 where w is 0, whatever t is there.
at::Tensor weighted(const at::Tensor& t, const at::Tensor& w) {
  const at::Tensor factor = t.dim() == 1 ? w : w.unsqueeze(1);
  return (t * factor.to(t.scalar_type())).masked_fill(factor.eq(0), 0);
}

/// Rows 0, 1, .. of `tensor` again and again, `count` in all.
at::Tensor cycled(const at::Tensor& tensor, int64_t count) {
  return tensor.index_select(0, at::arange(count, at::kLong).remainder(tensor.size(0)));
}

}  // namespace

OutputCurvature parse_output_curvature(const std::string& word) {
  if (word == "convex") return OutputCurvature::convex;
  if (word == "unknown") return OutputCurvature::unknown;
  if (word == "zero") return OutputCurvature::zero;
  throw InputError("training.loss_curvature is '" + word + "', expected one of convex, unknown, zero" +
                   did_you_mean(word, {"convex", "unknown", "zero"}));
}

CompiledLoss::CompiledLoss(std::string name, OutputCurvature curvature,
                           std::map<std::string, at::Tensor> buffers, Packages packages)
    : name_(std::move(name)),
      curvature_(curvature),
      buffers_(std::move(buffers)),
      packages_(std::move(packages)) {}

void CompiledLoss::require_gauss_newton() const {
  if (curvature_ != OutputCurvature::zero) return;
  throw Refusal(
      "the second derivative of the loss '" + name_ +
      "' in the outputs is zero wherever it exists, and the Gauss-Newton matrix with it; use the operator "
      "hessian or empirical_fisher");
}

const Package& CompiledLoss::package(const at::Tensor& z) const {
  return package_in(packages_, z.scalar_type(), "loss");
}

SlotValues CompiledLoss::start(const Package& package, const at::Tensor& z, const at::Tensor& y) const {
  SlotValues values(package.slots().size());
  const Slot& targets = package.slots()[package.slot("y")];
  const int64_t rows = package.slots()[package.slot("z")].shape[0];
  if (z.size(0) > rows) {
    throw std::invalid_argument(fmt::format("loss: {} rows, but the package takes {}", z.size(0), rows));
  }
  values[package.slot("z")] = filled_up(z.detach(), rows);
  values[package.slot("y")] = filled_up(y, rows).to(targets.dtype).reshape(targets.shape);
  set_buffers(package, buffers_, z.device(), values);
  return values;
}

at::Tensor CompiledLoss::run(const std::string& function, const std::string& result, const at::Tensor& z,
                             const at::Tensor& y, const at::Tensor& u) const {
  const at::AutoGradMode no_grad(false);
  const Package& functions = package(z);
  SlotValues values = start(functions, z, y);
  if (u.defined()) values[functions.slot("u")] = filled_up(u, values[functions.slot("z")].size(0));
  functions.run(function, values);
  return values[functions.slot(result)].narrow(0, 0, z.size(0));
}

at::Tensor CompiledLoss::value(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const {
  return weighted(run("loss", "l", z, y).to(at::kDouble), w).sum();
}

at::Tensor CompiledLoss::gradient(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const {
  return weighted(run("loss", "r", z, y), w);
}

at::Tensor CompiledLoss::curvature(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w,
                                   const at::Tensor& u) const {
  return weighted(run("loss_curvature", "s", z, y, u), w);
}

Columns CompiledLoss::root_columns(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const {
  require_gauss_newton();
  const int64_t outputs = z.size(1);
  if (!is_convex() || outputs > most_outputs_of_a_root) {
    throw Refusal(fmt::format(
        "--fisher-type type2 needs a root of the second derivative of the loss '{}': {}; use --fisher-type "
        "empirical",
        name_,
        is_convex() ? fmt::format("it has {} outputs, more than {}", outputs, most_outputs_of_a_root)
                    : "it was exported without --loss-is-convex"));
  }
  const at::Tensor counted = w.gt(0).to(z.scalar_type()), unit = at::zeros_like(z);
  const at::Tensor h = at::zeros({z.size(0), outputs, outputs}, z.options());
  for (int64_t c = 0; c < outputs; ++c) {
    unit.zero_().select(1, c).fill_(1);
    h.select(2, c).copy_(curvature(z, y, counted, unit));
  }
  // H = V diag(lambda) V', S = V diag(sqrt(lambda))
  const auto [lambda, v] = at::linalg_eigh((h + h.transpose(1, 2)).div_(2).to(at::kDouble));
  const double rounding = z.scalar_type() == at::kDouble ? 1e-10 : 1e-4;
  if (lambda.min().item<double>() < -rounding * lambda.abs().max().item<double>()) {
    throw Refusal("the loss '" + name_ +
                  "' was exported with --loss-is-convex, but is not convex on these data");
  }
  const at::Tensor s = (v * lambda.clamp_min(0).sqrt().unsqueeze(1)).to(z.scalar_type());
  return [s](int64_t c) { return s.select(2, c); };
}

int64_t CompiledLoss::terms() const {
  const Package& any = *packages_.begin()->second;
  return any.slots()[any.slot("z")].shape.at(0) / any.micro_batch();
}

const Slot& CompiledLoss::targets() const {
  const Package& any = *packages_.begin()->second;
  return any.slots()[any.slot("y")];
}

void CompiledLoss::check(const LossCheck& at_export, const at::TensorOptions& options) const {
  const at::Tensor outputs = at_export.outputs.to(options);
  const Package& functions = package(outputs);
  const int64_t rows = functions.slots()[functions.slot("z")].shape[0];
  const at::Tensor z = cycled(outputs.cpu(), rows).to(outputs.device());
  const at::Tensor y = cycled(at_export.targets, rows).to(outputs.device());
  const double tolerance = functions.computes_in_float32() ? 1e-4 : 1e-8;
  const auto compare = [&](const std::string& name, const at::Tensor& found) {
    require_sketch(name, {found}, at_export.expected.at(name), tolerance);
  };
  compare("l", run("loss", "l", z, y));
  compare("r", run("loss", "r", z, y));
  compare("s", run("loss_curvature", "s", z, y, waves_like({z}, 1).front()));
}

}  // namespace ritzflow::model
