#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow::krylov {

const ModeTraits Full::traits = {
    .mode = ReorthMode::full, .keeps = Orthogonality::full, .tridiagonal = true, .stops_early = true};

namespace {

// A pass is the last one when no coefficient left in w is more than rounding noise of its length: the basis
// stays orthogonal to this level. One pass reads Q twice; a second one is needed only after strong
// cancellation.
constexpr double kNoise = 16 * std::numeric_limits<double>::epsilon();
constexpr int kMaxPasses = 4;

}  // namespace

double detail::orthogonalize(const Full&, const Basis& basis, const LanczosHistory&, VectorSpan w,
                             std::span<double> column) {
  std::vector<double> h(column.size()), left(column.size());
  basis.dots(0, w, h);
  double length = 0;
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    // w <- w - Q' h and, in the same read of Q, what is left: g = Q w
    length = basis.subtract_then_dots(0, h, w, left);
    for (size_t i = 0; i < h.size(); ++i) column[i] += h[i];
    h.swap(left);
    const auto noise = [&](double left_in_w) { return std::abs(left_in_w) <= kNoise * length; };
    if (std::all_of(h.begin(), h.end(), noise)) break;
  }
  return length;
}

}  // namespace ritzflow::krylov
