#include "core/kernels.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow::detail {

double orthogonalize(const Off&, const Basis& basis, double beta_previous, VectorSpan w,
                     std::span<double> column) {
  const int64_t j = basis.size() - 1;
  if (j > 0) {
    // w <- w - beta_(j-1) q_(j-1), before alpha is taken: Paige's stable order.
    basis.subtract(j - 1, {&beta_previous, 1}, w);
    column[j - 1] += beta_previous;
  }
  // alpha_j = q_j' w;  w <- w - alpha_j q_j
  double alpha = 0;
  basis.dots(j, w, {&alpha, 1});
  basis.subtract(j, {&alpha, 1}, w);
  column[j] += alpha;
  return norm(w);
}

}  // namespace ritzflow::detail
