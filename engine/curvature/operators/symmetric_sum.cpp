#include "curvature/operators/symmetric_sum.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace ritzflow::curvature {
namespace {

// Narrower strips are slower than what they leave out; more of them hardly leave anything out.
constexpr int64_t narrowest_strip = 128, most_strips = 8;

int64_t strip_width(int64_t n) {
  const int64_t strips = std::clamp<int64_t>(n / narrowest_strip, 1, most_strips);
  return (n + strips - 1) / strips;
}

}  // namespace

void add_outer_products(SymmetricSum& sum, const at::Tensor& x, const at::Tensor& w) {
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  const at::Tensor weighted = w.defined() ? rows * w.reshape({-1, 1}) : rows;
  const int64_t n = rows.size(1), width = strip_width(n);
  for (int64_t first = 0, strip = 0; first < n; first += width, ++strip) {
    const at::Tensor left = weighted.narrow(1, first, std::min(width, n - first)).t();
    const at::Tensor right = rows.narrow(1, first, n - first);
    if (strip < static_cast<int64_t>(sum.size())) {
      sum[static_cast<size_t>(strip)].addmm_(left, right);
    } else {
      sum.push_back(at::mm(left, right));
    }
  }
}

void add_to_total(SymmetricSum& sum, const SymmetricSum& part) {
  for (size_t i = 0; i < part.size(); ++i) {
    if (i < sum.size()) {
      sum[i].add_(part[i]);
    } else {
      sum.push_back(part[i].to(at::kDouble, /*non_blocking=*/false, /*copy=*/true));
    }
  }
}

at::Tensor symmetric_matrix(const SymmetricSum& sum) {
  const int64_t n = sum.front().size(1);
  at::Tensor matrix = at::empty({n, n}, sum.front().options());
  int64_t first = 0;
  for (const auto& strip : sum) {
    const int64_t rows = strip.size(0), columns = strip.size(1);
    matrix.narrow(0, first, rows).narrow(1, first, columns).copy_(strip);
    matrix.narrow(1, first, rows).narrow(0, first, columns).copy_(strip.t());
    first += rows;
  }
  return matrix;
}

}  // namespace ritzflow::curvature
