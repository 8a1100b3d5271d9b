#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "krylov/process/factorization.h"
#include "krylov/process/kept_schur_vectors.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow::krylov {

const ModeTraits ThickRestart::traits = {.mode = ReorthMode::thick_restart,
                                         .keeps = Orthogonality::full,
                                         .restarts = true,
                                         .tridiagonal = true,
                                         .stops_early = true};

ThickRestart ThickRestart::from(const LanczosSettings& s, int64_t n, double) {
  const int64_t dim = s.krylov_dim > 0 ? s.krylov_dim : std::max(3 * s.k, s.k + 30);
  return {.krylov_dim = std::min(dim, n), .k = s.k, .which = s.which};
}

namespace {

// A pair is locked when its coupling is below rounding, so that the relation still holds without it.
constexpr double kLocked = std::numeric_limits<double>::epsilon();

// The wanted pairs, and half of the remaining rows for what comes next.
int64_t rows_kept(const ThickRestart& mode) {
  return std::min(mode.krylov_dim - 1, mode.k + (mode.krylov_dim - mode.k) / 2);
}

}  // namespace

void check_mode(const Reorthogonalization& any, int64_t n) {
  const auto* mode = std::get_if<ThickRestart>(&any);
  if (mode == nullptr) return;
  const int64_t least = std::min(n, mode->k + 2);
  if (mode->krylov_dim < least) {
    throw InputError("krylov_dim " + std::to_string(mode->krylov_dim) + " is too small for k " +
                     std::to_string(mode->k) + ": at least " + std::to_string(least) + ", better twice that");
  }
}

// With H Z = Z R the kept columns Z give A (Z'Q)' = (Z'Q)' R + q (beta e_m'Z): the couplings are row l of the
// new H, below its diagonal, and the next product finds them again above it.
void restart_if_full(const Reorthogonalization& any, KrylovFactorization& f, Basis& basis) {
  const auto* mode = std::get_if<ThickRestart>(&any);
  if (mode == nullptr || f.size() < mode->krylov_dim) return;
  const KeptSchurVectors kept = kept_schur_vectors(f, mode->which, rows_kept(*mode));
  const Eigen::Index l = kept.z.cols();
  const Eigen::RowVectorXd coupling = f.beta.back() * kept.z.bottomRows(1);
  f.columns.clear();
  f.spike.clear();
  for (Eigen::Index j = 0; j < l; ++j) {
    const Eigen::VectorXd column = kept.r.col(j).head(j + 1);
    f.columns.emplace_back(column.begin(), column.end());
    f.spike.push_back(std::abs(coupling[j]) <= kLocked * f.norm_estimate ? 0 : coupling[j]);
  }
  f.beta.assign(static_cast<size_t>(l), 0.0);
  f.beta.back() = f.spike.back();
  basis.compress(kept.z);
}

double detail::orthogonalize(const ThickRestart&, const Basis& basis, const LanczosHistory& history,
                             VectorSpan w, std::span<double> column) {
  return orthogonalize(Full{}, basis, history, w, column);
}

}  // namespace ritzflow::krylov
