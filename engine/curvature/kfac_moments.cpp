#include "curvature/kfac_moments.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "core/nearest.h"
#include "model/layers.h"

namespace ritzflow {
namespace {

constexpr int64_t elements_at_once = int64_t{1} << 22;

/// x' diag(w) x over all rows; w [rows] may be undefined: 1.
at::Tensor second_moment_of(const at::Tensor& x, const at::Tensor& w) {
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  return w.defined() ? at::matmul((rows * w.reshape({-1, 1})).t(), rows) : at::matmul(rows.t(), rows);
}

at::Tensor rotated(const at::Tensor& x, const at::Tensor& u) { return at::matmul(x, u.to(x.scalar_type())); }

}  // namespace

WeightSharing parse_weight_sharing(const std::string& word) {
  if (word == "expand") return WeightSharing::expand;
  if (word == "reduce") return WeightSharing::reduce;
  throw InputError(fmt::format("--kfac-approx is '{}', expected expand or reduce{}", word,
                               did_you_mean(word, {"expand", "reduce"})));
}

LayerMoments::LayerMoments(const Tap& tap, const at::Tensor& weights, int64_t samples, bool bias,
                           WeightSharing sharing, int64_t table_rows)
    : kind_(tap.kind), sharing_(sharing), samples_(samples), table_rows_(table_rows) {
  if (kind_ == LayerKind::embedding) {
    a_ = tap.input;
  } else if (kind_ == LayerKind::convolution) {
    a_ = unfold3x3(tap.input);
  } else {
    a_ = by_position(tap.input);
  }
  if (bias && kind_ != LayerKind::norm)
    a_ = at::cat({a_, at::ones({samples, a_.size(1), 1}, a_.options())}, 2);
  const at::Tensor terms = weights.view({samples, -1});
  const int64_t positions = a_.size(1);
  weights_ = terms.size(1) == positions
                 ? terms
                 : (terms.sum(1, true) / static_cast<double>(positions)).expand({samples, positions});
}

at::Tensor LayerMoments::by_position(const at::Tensor& x) const {
  const bool images = x.dim() == 4;  // [N, C, H, W]
  return images ? x.flatten(2).transpose(1, 2) : x.reshape({samples_, -1, x.size(-1)});
}

at::Tensor LayerMoments::input_moment() const {
  if (kind_ == LayerKind::norm) return weights_.sum().reshape({1, 1});
  if (kind_ == LayerKind::embedding) {
    return at::zeros({table_rows_}, weights_.options())
        .index_add_(0, a_.reshape({-1}), weights_.reshape({-1}));
  }
  if (sharing_ == WeightSharing::expand) return second_moment_of(a_, weights_);
  return second_moment_of(a_.mean(1), weights_.sum(1));
}

/// [N, 2 width]: (sum_r g o a, sum_r g), the gradient of a sample with respect to scale and shift.
at::Tensor LayerMoments::norm_gradient(const at::Tensor& g) const {
  return at::cat({(g * a_).sum(1), g.sum(1)}, 1);
}

at::Tensor LayerMoments::output_moment(const at::Tensor& gradient) const {
  const at::Tensor g = by_position(gradient);
  if (kind_ == LayerKind::norm) return second_moment_of(norm_gradient(g), {});
  const bool reduce = sharing_ == WeightSharing::reduce && kind_ != LayerKind::embedding;
  return second_moment_of(reduce ? g.sum(1) : g, {});
}

/// The gradient of a sample has a column for each index that the sample holds: sums over equal (n, index).
at::Tensor LayerMoments::table_second_moment(const at::Tensor& g) const {
  const at::Tensor sample = at::arange(samples_, a_.options()).unsqueeze(1) * table_rows_;
  const auto [pairs, place, counts] = at::_unique2((a_ + sample).reshape({-1}), true, true);
  const at::Tensor columns =
      at::zeros({pairs.size(0), g.size(2)}, g.options()).index_add_(0, place, g.reshape({-1, g.size(2)}));
  return at::zeros({table_rows_, g.size(2)}, g.options())
      .index_add_(0, pairs.remainder(table_rows_), columns.square())
      .t();
}

void LayerMoments::rotate_inputs(const at::Tensor& u_a) {
  if (u_a.defined() && kind_ != LayerKind::norm) a_ = rotated(a_, u_a);
}

at::Tensor LayerMoments::second_moment(const at::Tensor& gradient, const at::Tensor& u_g) const {
  at::Tensor g = by_position(gradient);
  if (kind_ == LayerKind::norm) return rotated(norm_gradient(g), u_g).square().sum(0).unsqueeze(1);
  g = rotated(g, u_g);
  if (kind_ == LayerKind::embedding) return table_second_moment(g);
  if (a_.size(1) == 1) return at::matmul(g.squeeze(1).square().t(), a_.squeeze(1).square());
  at::Tensor sum = at::zeros({g.size(2), a_.size(2)}, g.options());
  const int64_t chunk = std::max<int64_t>(1, elements_at_once / sum.numel());
  for (int64_t first = 0; first < samples_; first += chunk) {
    const int64_t count = std::min(chunk, samples_ - first);
    const at::Tensor gradients =
        at::bmm(g.narrow(0, first, count).transpose(1, 2), a_.narrow(0, first, count));
    sum += gradients.square().sum(0);
  }
  return sum;
}

}  // namespace ritzflow
