#include "curvature/kfac/kfac.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace ritzflow::curvature {
namespace {

void check_power(const KroneckerPower& of) {
  if (!(of.damping >= 0) || !std::isfinite(of.damping)) {
    throw InputError(fmt::format("--damping is {}, expected a finite number >= 0", of.damping));
  }
  if (of.power != 1 && of.power != -1 && of.power != -0.5) {
    throw InputError(
        fmt::format("--power is {}, expected 1, -1 (inverse) or -0.5 (inverse square root)", of.power));
  }
}

at::Tensor flat_tensor(const double* data, int64_t n) {
  return at::from_blob(const_cast<double*>(data), {n}, at::kDouble);
}

}  // namespace

KroneckerOperator::KroneckerOperator(const KroneckerFactors& factors, const model::ParamSpace& space,
                                     const KroneckerOptions& options,
                                     std::unique_ptr<krylov::LinearOperator> uncovered_block)
    : n_(space.size()), uncovered_block_(std::move(uncovered_block)) {
  check_power(options.of);
  const Coverage covered = coverage(factors, space);
  missing_ = uncovered_ranges(covered, space);
  if (!missing_.empty() && options.uncovered == Uncovered::refuse) {
    throw Refusal("the Kronecker factors do not cover the whole model: " + covered.text() +
                  "; choose how the rest is treated with --uncovered zero, identity or exact_ggn");
  }
  if (missing_.empty()) {
    uncovered_block_.reset();
  } else if (options.uncovered != Uncovered::exact_ggn) {
    const double value = options.uncovered == Uncovered::identity ? 1.0 : 0.0;
    missing_value_ = of_power(at::full({1}, value, at::kDouble), options.of).item<double>();
  } else if (options.of.power != 1 || options.of.damping != 0) {
    throw InputError(
        "--damping and --power need all eigenpairs; --uncovered exact_ggn has those of the factors only");
  }
  for (const auto& layer : factors.layers) blocks_.emplace_back(layer, space, options.of);
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
  const at::Tensor from = flat_tensor(v.data(), n_), to = flat_tensor(out.data(), n_);
  tbb::parallel_for(size_t{0}, blocks_.size(), [&](size_t b) { blocks_[b].apply(from, to); });
  apply_uncovered(v, out);
}

}  // namespace ritzflow::curvature
