#include "core/kernels.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow::krylov {

const ModeTraits Off::traits = {
    .mode = ReorthMode::off, .keeps = Orthogonality::none, .tridiagonal = true, .stops_early = true};

double detail::orthogonalize(const Off&, const Basis& basis, const LanczosHistory& history, VectorSpan w,
                             std::span<double> column) {
  const int64_t j = basis.size() - 1;
  if (j > 0) {
    // w <- w - beta_(j-1) q_(j-1), before alpha is taken: Paige's stable order.
    const double beta = history.beta_previous();
    basis.subtract(j - 1, {&beta, 1}, w);
    column[j - 1] += beta;
  }
  // alpha_j = q_j' w;  w <- w - alpha_j q_j
  double alpha = 0;
  basis.dots(j, w, {&alpha, 1});
  basis.subtract(j, {&alpha, 1}, w);
  column[j] += alpha;
  return norm(w);
}

}  // namespace ritzflow::krylov
