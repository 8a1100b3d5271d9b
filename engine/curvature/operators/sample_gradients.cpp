#include "curvature/operators/sample_gradients.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "model/autodiff/autograd.h"
#include "model/autodiff/layers.h"

namespace ritzflow::curvature {
namespace {

/// sum_r g_r a_r' of every sample: [N, out, in].
at::Tensor outer_sums(const at::Tensor& g, const at::Tensor& a) { return at::bmm(g.transpose(1, 2), a); }

/// Row a_r of the table gets g_r: [N, rows, d].
at::Tensor scattered(const at::Tensor& g, const at::Tensor& indices, int64_t rows) {
  const int64_t samples = g.size(0), width = g.size(2);
  const at::Tensor index = indices.reshape({samples, -1, 1}).expand({samples, g.size(1), width});
  return at::zeros({samples, rows, width}, g.options()).scatter_add_(1, index, g);
}

class Rows {
 public:
  Rows(const model::ParamSpace& space, int64_t samples, const at::Tensor& like)
      : space_(space),
        covered_(space.parameters().size(), 0),
        values_(at::zeros({samples, space.size()}, like.options().requires_grad(false))) {}

  void add(const model::Tap& tap, const at::Tensor& gradient) {
    const int64_t samples = values_.size(0);
    const at::Tensor g = model::by_position(gradient, samples);
    if (!tap.pieces.empty()) return add_pieces(tap, g);
    if (tap.layer.bias) add(*tap.layer.bias, g.sum(1));
    switch (tap.kind) {
      case model::LayerKind::linear:
        return add(tap.layer.weight, outer_sums(g, model::by_position(tap.input, samples)));
      case model::LayerKind::convolution:
        return add(tap.layer.weight, outer_sums(g, model::unfold3x3(tap.input)));
      case model::LayerKind::embedding:
        return add(tap.layer.weight,
                   scattered(g, tap.input.clamp_min(0), parameter(tap.layer.weight).shape[0]));
      case model::LayerKind::norm:
        return add(tap.layer.weight, (g * model::by_position(tap.input, samples)).sum(1));
    }
  }

  std::optional<at::Tensor> all() const {
    for (size_t i = 0; i < covered_.size(); ++i) {
      if (covered_[i] < parameter(i).size) return std::nullopt;
    }
    return values_;
  }

 private:
  const model::Parameter& parameter(size_t i) const { return space_.parameters()[i]; }

  void add(size_t i, const at::Tensor& part) {
    const model::Parameter& p = parameter(i);
    values_.narrow(1, p.offset, p.size).add_(part.reshape({values_.size(0), -1}));
    covered_[i] += p.size;
  }

  /// Of a linear layer: [W, b] of each group gets sum_r g_r [a_r, 1]'.
  void add_pieces(const model::Tap& tap, const at::Tensor& g) {
    const auto inputs = tap.input.chunk(tap.groups, 2), outputs = g.chunk(tap.groups, 2);
    for (size_t group = 0; group < inputs.size(); ++group) {
      const at::Tensor ones = at::ones({g.size(0), g.size(1), 1}, g.options());
      const at::Tensor w = outer_sums(outputs[group], at::cat({inputs[group], ones}, 2));
      int64_t column = 0;
      for (const model::Piece& piece : tap.pieces) {
        add(piece, static_cast<int64_t>(group) * parameter(piece.parameter).size / tap.groups,
            w.narrow(2, column, piece.columns));
        column += piece.columns;
      }
    }
  }

  void add(const model::Piece& piece, int64_t shift, const at::Tensor& part) {
    values_
        .as_strided(part.sizes(), {values_.size(1), piece.row_stride, piece.column_stride},
                    parameter(piece.parameter).offset + shift + piece.offset)
        .add_(part);
    covered_[piece.parameter] += piece.rows * piece.columns;
  }

  const model::ParamSpace& space_;
  std::vector<int64_t> covered_;  ///< elements of each parameter
  at::Tensor values_;
};

/// d(sum_t w_t l_t / sum_t w_t)/dz, a row of logits a row.
at::Tensor mean_loss_gradient(const problem::EmpiricalRisk& risk, const problem::Batch& batch,
                              const at::Tensor& logits) {
  const int64_t rows = risk.rows_per_sample();
  const at::Tensor sums = sample_weights(batch, rows).repeat_interleave(rows);
  const at::Tensor shares = at::where(sums.gt(0), batch.weights / sums, at::zeros_like(sums));
  return risk.loss_function().gradient(logits, batch.targets, shares);
}

}  // namespace

at::Tensor sample_weights(const problem::Batch& batch, int64_t rows_per_sample) {
  return batch.weights.view({-1, rows_per_sample}).sum(1);
}

std::optional<at::Tensor> sample_gradients(const problem::EmpiricalRisk& risk, const problem::Batch& batch) {
  model::Taps taps;
  at::Tensor logits;
  std::vector<at::Tensor> outputs;
  {
    const at::AutoGradMode grad_mode(true);
    logits = risk.network().forward_with_taps(model::make_leaves(risk.theta()), batch.inputs, taps);
  }
  for (const model::Tap& tap : taps) outputs.push_back(tap.output);
  const at::AutoGradMode no_grad(false);
  Rows rows(risk.network().params(), batch.inputs.size(0), logits);
  if (taps.empty()) return rows.all();
  const auto gradients = torch::autograd::grad({logits}, outputs, {mean_loss_gradient(risk, batch, logits)},
                                               /*retain_graph=*/false, /*create_graph=*/false,
                                               /*allow_unused=*/true);
  for (size_t i = 0; i < taps.size(); ++i) {
    rows.add(taps[i], gradients[i].defined() ? gradients[i] : at::zeros_like(outputs[i]));
  }
  return rows.all();
}

}  // namespace ritzflow::curvature
