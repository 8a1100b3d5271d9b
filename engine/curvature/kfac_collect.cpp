#include "curvature/kfac_collect.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <spdlog/spdlog.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "core/error.h"
#include "core/ordered_reduce.h"

namespace ritzflow {
namespace {

/// One forward pass of a micro-batch with its graph, and the cotangents to send back through it.
class TappedBatch {
 public:
  TappedBatch(const EmpiricalRisk& risk, int64_t b, const CotangentOptions& options) : batch_(risk.batch(b)) {
    const at::AutoGradMode grad_mode(true);
    ParamTensors leaves;
    for (const at::Tensor& t : risk.theta()) leaves.push_back(t.detach().requires_grad_());
    logits_ = risk.network().forward_with_taps(leaves, batch_.inputs, taps_);
    for (const Tap& tap : taps_) outputs_.push_back(tap.output);
    const at::AutoGradMode no_grad(false);
    cotangents_ =
        make_cotangents(risk.loss_function(), batch_, logits_.detach(), risk.rows_per_sample(), options);
  }

  const Taps& taps() const { return taps_; }
  int64_t samples() const { return batch_.inputs.size(0); }
  const at::Tensor& weights() const { return batch_.weights; }

  /// use(gradients) for every cotangent, a gradient a tap: all of them come from one backward pass.
  template <class Use>
  void for_each_gradient(const Use& use) const {
    for (int64_t k = 0; k < cotangents_.count; ++k) {
      at::Tensor cotangent;
      {
        const at::AutoGradMode no_grad(false);
        cotangent = cotangents_.at(k);
      }
      auto gradients =
          torch::autograd::grad({logits_}, outputs_, {cotangent}, /*retain_graph=*/k + 1 < cotangents_.count,
                                /*create_graph=*/false, /*allow_unused=*/true);
      const at::AutoGradMode no_grad(false);
      for (size_t i = 0; i < gradients.size(); ++i) {
        if (!gradients[i].defined()) gradients[i] = at::zeros_like(outputs_[i]);
      }
      use(gradients);
    }
  }

 private:
  Batch batch_;
  Taps taps_;
  at::Tensor logits_;
  ParamTensors outputs_;
  Cotangents cotangents_;
};

/// Sums over the samples of a batch, float64, a pair a layer.
struct Moments {
  std::vector<at::Tensor> a, g;
};

void add(std::vector<at::Tensor>& sums, size_t i, const at::Tensor& part) {
  const at::Tensor wide = part.to(at::kDouble);
  sums[i] = sums[i].defined() ? sums[i].add_(wide) : wide.clone();
}

/// The tap of a layer, and which part of its output is the layer's.
struct Source {
  size_t tap;
  int64_t first, count;
};

class Collector {
 public:
  Collector(const EmpiricalRisk& risk, const KfacOptions& options)
      : risk_(risk), space_(risk.network().params()), options_(options) {
    const at::AutoGradMode no_grad(false);
    Taps taps;
    risk.network().forward_with_taps(risk.theta(), risk.batch(0).inputs.narrow(0, 0, 1), taps);
    for (size_t i = 0; i < taps.size(); ++i) describe(taps[i], i);
  }

  KroneckerFactors collect() {
    if (layers_.empty()) return {};
    collect_factors();
    if (options_.ekfac) collect_second_moments();
    return {std::move(layers_)};
  }

 private:
  const Parameter& parameter(size_t index) const { return space_.parameters()[index]; }

  /// One layer a tap, or one a part of it.
  void describe(const Tap& tap, size_t index) {
    KroneckerLayer layer;
    const std::string& weight = parameter(tap.layer.weight).name;
    layer.name = weight.ends_with(".weight") ? weight.substr(0, weight.size() - 7) : weight;
    layer.kind = tap.kind;
    layer.tied = tap.tied;
    layer.parameters = {weight};
    if (tap.layer.bias) layer.parameters.push_back(parameter(*tap.layer.bias).name);
    if (!fits(tap, layer.name)) return;
    const int64_t out = tap.output.size(-1);
    if (!options_.split_qkv || tap.parts.empty()) return add_layer(layer, {index, 0, out});
    const auto rows = out / static_cast<int64_t>(tap.parts.size());
    layer.is_part = true;
    const std::string whole = layer.name;
    for (const auto& part : tap.parts) {
      layer.name = whole + "." + part;
      add_layer(layer, {index, layer.first_row, rows});
      layer.first_row += rows;
    }
  }

  void add_layer(const KroneckerLayer& layer, const Source& source) {
    for (const auto& other : layers_) {
      if (other.name == layer.name) {
        throw InputError("layer " + layer.name +
                         " is used twice in one forward pass; K-FAC has no factors for that");
      }
    }
    layers_.push_back(layer);
    sources_.push_back(source);
  }

  /// Whether both dense factors are within the limit.
  bool fits(const Tap& tap, const std::string& name) const {
    const Parameter& weight = parameter(tap.layer.weight);
    const int64_t rows = weight.shape[0], columns = weight.size / rows + (tap.layer.bias ? 1 : 0);
    const bool split = options_.split_qkv && !tap.parts.empty();
    int64_t widest = std::max(split ? rows / static_cast<int64_t>(tap.parts.size()) : rows, columns);
    if (tap.kind == LayerKind::embedding) widest = columns;
    if (tap.kind == LayerKind::norm) widest = 2 * rows;
    if (widest <= options_.max_factor) return true;
    spdlog::warn("{}: a factor of {} rows is above --max-factor {}; the layer is not covered", name, widest,
                 options_.max_factor);
    return false;
  }

  std::vector<LayerMoments> all_moments(const TappedBatch& batch) const {
    std::vector<LayerMoments> all;
    for (const Source& source : sources_) {
      const Tap& tap = batch.taps()[source.tap];
      all.emplace_back(tap, batch.weights(), batch.samples(), tap.layer.bias.has_value(), options_.sharing,
                       parameter(tap.layer.weight).shape[0]);
    }
    return all;
  }

  /// The gradient of layer i's output: that of its tap, or a part of it.
  at::Tensor gradient(size_t i, const std::vector<at::Tensor>& gradients) const {
    const at::Tensor& whole = gradients[sources_[i].tap];
    return layers_[i].is_part ? whole.narrow(-1, sources_[i].first, sources_[i].count) : whole;
  }

  Moments factor_sums(int64_t b) const {
    const TappedBatch batch(risk_, b, options_.fisher);
    Moments sums{std::vector<at::Tensor>(layers_.size()), std::vector<at::Tensor>(layers_.size())};
    const at::AutoGradMode no_grad(false);
    const auto all = all_moments(batch);
    for (size_t i = 0; i < all.size(); ++i) add(sums.a, i, all[i].input_moment());
    batch.for_each_gradient([&](const std::vector<at::Tensor>& gradients) {
      for (size_t i = 0; i < all.size(); ++i) add(sums.g, i, all[i].output_moment(gradient(i, gradients)));
    });
    return sums;
  }

  void collect_factors() {
    Moments total{std::vector<at::Tensor>(layers_.size()), std::vector<at::Tensor>(layers_.size())};
    ordered_reduce(
        risk_.batches(), [&](int64_t b) { return factor_sums(b); },
        [&](const Moments& part) {
          const at::AutoGradMode no_grad(false);
          for (size_t i = 0; i < layers_.size(); ++i) {
            add(total.a, i, part.a[i]);
            add(total.g, i, part.g[i]);
          }
        });
    const double w = risk_.total_weight();
    for (size_t i = 0; i < layers_.size(); ++i) decompose(layers_[i], total.a[i] / w, total.g[i] / w);
  }

  static void decompose(KroneckerLayer& layer, const at::Tensor& a, const at::Tensor& g) {
    if (layer.kind == LayerKind::embedding) {
      layer.a_eigenvalues = a;  // a diagonal matrix has the identity as eigenvectors
    } else {
      const Eigenpairs of_a = eigenpairs(a);
      layer.a_eigenvalues = of_a.values;
      layer.a_eigenvectors = of_a.vectors;
    }
    const Eigenpairs of_g = eigenpairs(g);
    layer.g_eigenvalues = of_g.values;
    layer.g_eigenvectors = of_g.vectors;
  }

  std::vector<at::Tensor> second_moment_sums(int64_t b) const {
    const TappedBatch batch(risk_, b, options_.fisher);
    std::vector<at::Tensor> sums(layers_.size());
    const at::AutoGradMode no_grad(false);
    auto all = all_moments(batch);
    for (size_t i = 0; i < all.size(); ++i) all[i].rotate_inputs(layers_[i].a_eigenvectors);
    batch.for_each_gradient([&](const std::vector<at::Tensor>& gradients) {
      for (size_t i = 0; i < all.size(); ++i) {
        add(sums, i, all[i].second_moment(gradient(i, gradients), layers_[i].g_eigenvectors));
      }
    });
    return sums;
  }

  void collect_second_moments() {
    std::vector<at::Tensor> total(layers_.size());
    ordered_reduce(
        risk_.batches(), [&](int64_t b) { return second_moment_sums(b); },
        [&](const std::vector<at::Tensor>& part) {
          const at::AutoGradMode no_grad(false);
          for (size_t i = 0; i < layers_.size(); ++i) add(total, i, part[i]);
        });
    for (size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].ekfac_eigenvalues = total[i] / risk_.total_weight();
    }
  }

  const EmpiricalRisk& risk_;
  const ParamSpace& space_;
  KfacOptions options_;
  std::vector<KroneckerLayer> layers_;
  std::vector<Source> sources_;  ///< of each layer
};

}  // namespace

KroneckerFactors collect_kfac(const EmpiricalRisk& risk, const KfacOptions& options) {
  if (options.fisher.mc_samples < 1) {
    throw InputError("--mc-samples is " + std::to_string(options.fisher.mc_samples) +
                     ", expected at least 1");
  }
  return Collector(risk, options).collect();
}

}  // namespace ritzflow
