#include "curvature/kfac.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

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
  Block block{.kind = layer.kind,
              .parameters = {},
              .u_a = layer.a_eigenvectors,
              .u_g = layer.g_eigenvectors,
              .u_a_t = transposed(layer.a_eigenvectors),
              .u_g_t = transposed(layer.g_eigenvectors),
              .lambda = of_power(layer_eigenvalues(layer, options.ekfac), options).contiguous()};
  const ParamTensors zeros = space_.blobs(at::zeros({space_.size()}, at::kDouble));
  ParamTensors parts;
  for (const auto& name : layer.parameters) {
    block.parameters.push_back(space_.index(name));
    parts.push_back(zeros[block.parameters.back()]);
  }
  check_shape(layer, to_matrix(layer.kind, parts));
  blocks_.push_back(std::move(block));
}

/// out <- U_G (Lambda o (U_G' W U_A)) U_A'
void KroneckerOperator::apply_block(const Block& block, const ParamTensors& v,
                                    const ParamTensors& out) const {
  const at::AutoGradMode no_grad(false);
  ParamTensors from, to;
  for (const size_t p : block.parameters) {
    from.push_back(v[p]);
    to.push_back(out[p]);
  }
  at::Tensor w = at::matmul(block.u_g_t, to_matrix(block.kind, from));
  if (block.u_a.defined()) w = at::matmul(w, block.u_a);
  w.mul_(block.lambda);
  if (block.u_a.defined()) w = at::matmul(w, block.u_a_t);
  from_matrix(block.kind, at::matmul(block.u_g, w), to);
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

}  // namespace ritzflow
