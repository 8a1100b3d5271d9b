#include "curvature/kfac.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <functional>
#include <tuple>

#include "artifact/item.h"
#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow {
namespace {

void check_power(const KroneckerOptions& options) {
  if (!(options.damping >= 0) || !std::isfinite(options.damping)) {
    throw InputError(fmt::format("--damping is {}, expected a finite number >= 0", options.damping));
  }
  if (options.power != 1 && options.power != -1 && options.power != -0.5) {
    throw InputError(
        fmt::format("--power is {}, expected 1, -1 (inverse) or -0.5 (inverse square root)", options.power));
  }
}

/// (lambda + damping)^power, element by element.
at::Tensor of_power(const at::Tensor& lambda, const KroneckerOptions& options) {
  const at::Tensor damped = lambda + options.damping;
  if (options.power == 1) return damped;
  if (damped.min().item<double>() <= DBL_EPSILON * damped.max().item<double>()) {
    throw InputError(
        fmt::format("--power {}: the operator has eigenvalues that are 0 to rounding; it needs "
                    "--damping above 0",
                    options.power));
  }
  return damped.pow(options.power);
}

/// Throws unless `w`, the matrix form of the layer's parameters, has the shape of its factors.
void check_shape(const KroneckerLayer& layer, const at::Tensor& w) {
  const std::vector<int64_t> expected = w.sizes().vec();
  if (expected == std::vector<int64_t>{layer.out(), layer.in()}) return;
  throw InputError(
      fmt::format("layers/{} has factors of {} outputs and {} inputs, but its parameters in the model "
                  "need {} and {}",
                  layer.name, layer.out(), layer.in(), expected[0], expected[1]));
}

at::Tensor transposed(const at::Tensor& u) { return u.defined() ? u.t().contiguous() : u; }

}  // namespace

Uncovered parse_uncovered(const std::string& word) {
  if (word == "zero") return Uncovered::zero;
  if (word == "identity") return Uncovered::identity;
  if (word == "exact_ggn") return Uncovered::exact_ggn;
  if (word == "refuse") return Uncovered::refuse;
  throw InputError(fmt::format("--uncovered is '{}', expected one of zero, identity, exact_ggn, refuse{}",
                               word, did_you_mean(word, {"zero", "identity", "exact_ggn", "refuse"})));
}

std::vector<Range> uncovered_ranges(const KroneckerFactors& factors, const ParamSpace& space) {
  std::vector<Range> ranges;
  for (const auto& name : coverage(factors, space).missing) {
    const Parameter& p = space.parameters()[space.index(name)];
    ranges.push_back({p.offset, p.size});
  }
  return ranges;
}

KroneckerOperator::KroneckerOperator(const KroneckerFactors& factors, const ParamSpace& space,
                                     const KroneckerOptions& options,
                                     std::unique_ptr<LinearOperator> uncovered_block)
    : space_(space),
      missing_(uncovered_ranges(factors, space)),
      uncovered_block_(std::move(uncovered_block)) {
  check_power(options);
  if (!missing_.empty() && options.uncovered == Uncovered::refuse) {
    throw Refusal("the Kronecker factors do not cover the whole model: " + coverage(factors, space).text() +
                  "; say what stands for the rest with --uncovered zero, identity or exact_ggn");
  }
  if (missing_.empty()) {
    uncovered_block_.reset();
  } else if (options.uncovered != Uncovered::exact_ggn) {
    const double value = options.uncovered == Uncovered::identity ? 1.0 : 0.0;
    missing_value_ = of_power(at::full({1}, value, at::kDouble), options).item<double>();
  } else if (options.power != 1 || options.damping != 0) {
    throw InputError(
        "--damping and --power need all eigenpairs; --uncovered exact_ggn has those of the factors only");
  }
  for (const auto& layer : factors.layers) add_block(layer, options);
}

void KroneckerOperator::add_block(const KroneckerLayer& layer, const KroneckerOptions& options) {
  const ParamTensors zeros = space_.blobs(at::zeros({space_.size()}, at::kDouble));
  check_shape(layer, to_matrix(layer.kind, layer_tensors(layer, space_, zeros)));
  blocks_.push_back({.layer = layer,
                     .u_a_t = transposed(layer.a_eigenvectors),
                     .u_g_t = transposed(layer.g_eigenvectors),
                     .lambda = of_power(layer_eigenvalues(layer, options.ekfac), options).contiguous()});
}

/// out <- U_G (Lambda o (U_G' W U_A)) U_A'
void KroneckerOperator::apply_block(const Block& block, const ParamTensors& v,
                                    const ParamTensors& out) const {
  const at::AutoGradMode no_grad(false);
  const KroneckerLayer& layer = block.layer;
  const at::Tensor& u_a = layer.a_eigenvectors;
  at::Tensor w = at::matmul(block.u_g_t, to_matrix(layer.kind, layer_tensors(layer, space_, v)));
  if (u_a.defined()) w = at::matmul(w, u_a);
  w.mul_(block.lambda);
  if (u_a.defined()) w = at::matmul(w, block.u_a_t);
  from_matrix(layer.kind, at::matmul(layer.g_eigenvectors, w), layer_tensors(layer, space_, out));
}

void KroneckerOperator::apply_uncovered(VectorView v, VectorSpan out) {
  if (!uncovered_block_) {
    for (const auto& range : missing_) {
      for (int64_t i = range.first; i < range.first + range.count; ++i) {
        out[static_cast<size_t>(i)] = missing_value_ * v[static_cast<size_t>(i)];
      }
    }
    return;
  }
  std::vector<double> part(static_cast<size_t>(uncovered_block_->dim())), product(part.size());
  double* to = part.data();
  for (const auto& range : missing_) to = std::copy_n(v.data() + range.first, range.count, to);
  uncovered_block_->apply(part, product);
  const double* from = product.data();
  for (const auto& range : missing_) {
    std::copy_n(from, range.count, out.data() + range.first);
    from += range.count;
  }
}

void KroneckerOperator::apply(VectorView v, VectorSpan out) {
  const auto tensors = [&](const double* data) {
    return space_.blobs(at::from_blob(const_cast<double*>(data), {space_.size()}, at::kDouble));
  };
  const ParamTensors from = tensors(v.data()), to = tensors(out.data());
  tbb::parallel_for(size_t{0}, blocks_.size(), [&](size_t b) { apply_block(blocks_[b], from, to); });
  apply_uncovered(v, out);
}

std::vector<double> KroneckerOperator::spectrum() const {
  if (uncovered_block_) return {};
  std::vector<double> values;
  values.reserve(static_cast<size_t>(space_.size()));
  for (const auto& block : blocks_) {
    const double* lambda = block.lambda.data_ptr<double>();
    values.insert(values.end(), lambda, lambda + block.lambda.numel());
  }
  values.resize(static_cast<size_t>(space_.size()), missing_value_);
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

/// Column o of U_G times column i of U_A', for element (o, i) of Lambda.
std::vector<double> KroneckerOperator::eigenvector(const Block& block, int64_t index) const {
  const KroneckerLayer& layer = block.layer;
  const int64_t o = index / layer.in(), i = index % layer.in();
  at::Tensor a = at::zeros({layer.in()}, at::kDouble);
  if (layer.a_eigenvectors.defined()) {
    a = layer.a_eigenvectors.select(1, i);
  } else {
    a[i] = 1;
  }
  std::vector<double> x(static_cast<size_t>(space_.size()));
  const ParamTensors all = space_.blobs(at::from_blob(x.data(), {space_.size()}, at::kDouble));
  from_matrix(layer.kind, at::outer(layer.g_eigenvectors.select(1, o), a), layer_tensors(layer, space_, all));
  return x;
}

std::vector<Eigenpair> KroneckerOperator::leading(int64_t k) const {
  if (uncovered_block_) return {};
  struct Place {
    double value;
    size_t block;  ///< blocks_.size(): a parameter without factors
    int64_t index;
  };
  std::vector<Place> places;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const at::Tensor& lambda = blocks_[b].lambda;
    for (int64_t e = 0; e < lambda.numel(); ++e) places.push_back({lambda.data_ptr<double>()[e], b, e});
  }
  for (const auto& range : missing_) {
    for (int64_t e = 0; e < range.count; ++e) {
      places.push_back({missing_value_, blocks_.size(), range.first + e});
    }
  }
  const auto wanted = places.begin() + std::min<int64_t>(k, static_cast<int64_t>(places.size()));
  std::partial_sort(places.begin(), wanted, places.end(), [](const Place& x, const Place& y) {
    return std::tuple(-x.value, x.block, x.index) < std::tuple(-y.value, y.block, y.index);
  });
  std::vector<Eigenpair> pairs;
  for (auto place = places.begin(); place != wanted; ++place) {
    Eigenpair pair{place->value, 0, {}};
    if (place->block < blocks_.size()) {
      pair.vector = eigenvector(blocks_[place->block], place->index);
    } else {
      pair.vector.resize(static_cast<size_t>(space_.size()));
      pair.vector[static_cast<size_t>(place->index)] = 1;
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace ritzflow
