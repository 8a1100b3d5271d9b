#include <algorithm>

#include "core/kernels.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow::krylov {

// Its T gives no valid residual, and the one of its H needs vectors that a run does not form: it never stops
// early.
const ModeTraits Window::traits = {.mode = ReorthMode::selective, .keeps = Orthogonality::none};

double detail::orthogonalize(const Window& mode, const Basis& basis, const LanczosHistory& history,
                             VectorSpan w, std::span<double> column) {
  const double length = orthogonalize(Off{}, basis, history, w, column);
  const int64_t j = basis.size() - 1;
  if ((j + 1) % mode.period != 0) return length;
  // One vector after the other (modified Gram-Schmidt): the window itself is not orthogonal, and classical
  // Gram-Schmidt over it lets the coefficients grow.
  for (int64_t i = std::max<int64_t>(0, j + 1 - mode.window); i <= j; ++i) {
    double t = 0;
    basis.dots(i, w, {&t, 1});
    basis.subtract(i, {&t, 1}, w);
    column[i] += t;
  }
  return norm(w);
}

}  // namespace ritzflow::krylov
