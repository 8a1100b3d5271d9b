#include "curvature/kfac/kfac_collect.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <tbb/parallel_for.h>

#include <algorithm>

#include "core/error.h"
#include "core/ordered_reduce.h"
#include "curvature/kfac/tapped_batch.h"

namespace ritzflow::curvature {
namespace {

struct EigenBasis {
  Eigenpairs pairs;
  at::Tensor rotation;  ///< the vectors in the compute dtype; undefined: the identity
};

class Collector {
 public:
  Collector(const problem::EmpiricalRisk& risk, const KfacOptions& options,
            const std::function<void(const KfacSums&)>& on_batch, KfacSums from)
      : risk_(risk), options_(options), on_batch_(on_batch), sums_(std::move(from)) {
    const at::AutoGradMode no_grad(false);
    for (SymmetricSum& sum : sums_.factors) place(sum);
    place(sums_.second_moments);
    model::Taps taps;
    risk.network().forward_with_taps(risk.theta(), risk.batch(0).inputs.narrow(0, 0, 1), taps);
    plan_ = make_kfac_plan(risk.network().params(), taps, options.plan);
    sums_.factors.resize(plan_.factors.size());
    sums_.second_moments.resize(plan_.layers.size());
  }

  KroneckerFactors collect() {
    if (plan_.layers.empty()) return {};
    const at::AutoGradMode no_grad(false);
    add_batches(0, [this](int64_t b) { return factor_sums(b); }, [this](const auto& part) { add(part); });
    decompose();
    if (options_.ekfac) {
      add_batches(
          risk_.batches(), [this](int64_t b) { return second_moments(b); },
          [this](const auto& part) { add(part); });
    }
    KroneckerFactors factors;
    for (size_t i = 0; i < plan_.layers.size(); ++i) factors.layers.push_back(layer(i));
    return factors;
  }

 private:
  void place(std::vector<at::Tensor>& sums) const {
    for (at::Tensor& sum : sums) {
      if (sum.defined()) sum = sum.to(risk_.options().device);
    }
  }

  using FactorSums = std::vector<SymmetricSum>;
  using SecondMoments = std::vector<at::Tensor>;

  KroneckerLayer layer(size_t i) const {
    const LayerPlan& from = plan_.layers[i];
    KroneckerLayer layer = from.layer;
    layer.a_eigenvalues = bases_[from.a].pairs.values;
    layer.a_eigenvectors = bases_[from.a].pairs.vectors;
    layer.g_eigenvalues = bases_[from.g].pairs.values;
    layer.g_eigenvectors = bases_[from.g].pairs.vectors;
    if (options_.ekfac) layer.ekfac_eigenvalues = (sums_.second_moments[i] / risk_.total_weight()).cpu();
    return layer;
  }

  /// One pass over the micro-batches that are not in the sums yet; `before`: those of the passes before.
  template <class Map, class Add>
  void add_batches(int64_t before, const Map& map, const Add& add_part) {
    const int64_t first = std::min(sums_.batches - before, risk_.batches());  // all: a later pass was begun
    ordered_reduce(
        risk_.batches() - first, [&](int64_t i) { return map(first + i); },
        [&](const auto& part) {
          const at::AutoGradMode no_grad(false);
          add_part(part);
          ++sums_.batches;
          if (on_batch_) on_batch_(sums_);
        },
        risk_.options().in_flight);
  }

  void add(const FactorSums& part) {
    for (size_t f = 0; f < part.size(); ++f) add_to_total(sums_.factors[f], part[f]);
  }

  void add(const SecondMoments& part) {
    for (size_t i = 0; i < part.size(); ++i) {
      at::Tensor& total = sums_.second_moments[i];
      total = total.defined() ? total.add_(part[i]) : part[i].to(at::kDouble, false, /*copy=*/true);
    }
  }

  FactorSums factor_sums(int64_t b) const {
    const TappedBatch batch(risk_, b, options_.fisher);
    const at::AutoGradMode no_grad(false);
    const auto taps = batch.moments(options_.sharing);
    FactorSums sums(plan_.factors.size());
    for (size_t f = 0; f < sums.size(); ++f) {
      const FactorPlace& place = plan_.factors[f];
      if (place.is_input) taps[place.tap].add_inputs(sums[f], place.range);
    }
    batch.for_each_gradient([&](const std::vector<at::Tensor>& gradients) {
      for (size_t f = 0; f < sums.size(); ++f) {
        const FactorPlace& place = plan_.factors[f];
        if (!place.is_input) taps[place.tap].add_outputs(sums[f], output_gradient(place, taps, gradients));
      }
    });
    return sums;
  }

  /// g [N, R, out] of the outputs that a factor is about.
  static at::Tensor output_gradient(const FactorPlace& place, const std::vector<TapMoments>& taps,
                                    const std::vector<at::Tensor>& gradients) {
    return taps[place.tap]
        .output_gradient(gradients[place.tap])
        .narrow(2, place.range.first, place.range.count);
  }

  at::TensorOptions tensor_options() const {
    return at::TensorOptions(risk_.options().device).dtype(risk_.options().dtype);
  }

  void decompose() {
    bases_.resize(plan_.factors.size());
    tbb::parallel_for(size_t{0}, bases_.size(), [&](size_t f) {
      const at::AutoGradMode no_grad(false);
      bases_[f] = basis_of(sums_.factors[f]);
    });
  }

  EigenBasis basis_of(const SymmetricSum& sum) const {
    const double w = risk_.total_weight();
    // A diagonal matrix, of an embedding, has the identity as eigenvectors.
    if (sum.front().dim() == 1) return {{(sum.front() / w).cpu(), {}}, {}};
    Eigenpairs pairs = eigenpairs(symmetric_matrix(sum).div_(w).cpu());
    const at::Tensor rotation = pairs.vectors.to(tensor_options());
    return {std::move(pairs), rotation};
  }

  SecondMoments second_moments(int64_t b) const {
    const TappedBatch batch(risk_, b, options_.fisher);
    const at::AutoGradMode no_grad(false);
    const auto taps = batch.moments(options_.sharing);
    std::vector<at::Tensor> rotated(plan_.factors.size());  // a of the inputs, g of the outputs
    for (size_t f = 0; f < rotated.size(); ++f) {
      const FactorPlace& place = plan_.factors[f];
      if (place.is_input) rotated[f] = taps[place.tap].rotated_inputs(place.range, bases_[f].rotation);
    }
    SecondMoments sums;
    for (const auto& [layer, a, g] : plan_.layers) {
      const int64_t out = bases_[g].pairs.values.size(0), in = bases_[a].pairs.values.size(0);
      sums.push_back(at::zeros({out, in}, tensor_options()));
    }
    batch.for_each_gradient([&](const std::vector<at::Tensor>& gradients) {
      for (size_t f = 0; f < rotated.size(); ++f) {
        const FactorPlace& place = plan_.factors[f];
        if (place.is_input) continue;
        rotated[f] = at::matmul(output_gradient(place, taps, gradients), bases_[f].rotation);
      }
      for (size_t i = 0; i < sums.size(); ++i) {
        const LayerPlan& layer = plan_.layers[i];
        taps[plan_.factors[layer.a].tap].add_second_moment(sums[i], rotated[layer.g], rotated[layer.a]);
      }
    });
    return sums;
  }

  const problem::EmpiricalRisk& risk_;
  KfacOptions options_;
  const std::function<void(const KfacSums&)>& on_batch_;
  KfacSums sums_;
  KfacPlan plan_;
  std::vector<EigenBasis> bases_;  ///< of each factor
};

}  // namespace

KroneckerFactors collect_kfac(const problem::EmpiricalRisk& risk, const KfacOptions& options,
                              const std::function<void(const KfacSums&)>& on_batch, KfacSums from) {
  if (options.fisher.mc_samples < 1) {
    throw InputError("--mc-samples is " + std::to_string(options.fisher.mc_samples) +
                     ", expected at least 1");
  }
  return Collector(risk, options, on_batch, std::move(from)).collect();
}

}  // namespace ritzflow::curvature
