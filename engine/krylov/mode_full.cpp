#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels.h"
#include "krylov/reorthogonalization.h"

namespace ritzflow::detail {
namespace {

// A pass is the last one when the coefficients left in w are rounding noise of its length. One pass reads Q
// twice; a second one is needed only after strong cancellation.
constexpr double kNoise = 4 * std::numeric_limits<double>::epsilon();
constexpr int kMaxPasses = 4;

}  // namespace

double orthogonalize(const Full&, const Basis& basis, double, VectorSpan w, std::span<double> column) {
  std::vector<double> h(column.size()), left(column.size());
  basis.dots(0, w, h);
  double length = 0;
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    // w <- w - Q' h and, in the same read of Q, what is left: g = Q w
    basis.subtract_then_dots(0, h, w, left);
    for (size_t i = 0; i < h.size(); ++i) column[i] += h[i];
    h.swap(left);
    length = norm(w);
    if (norm(h) <= kNoise * length) break;
  }
  return length;
}

}  // namespace ritzflow::detail
