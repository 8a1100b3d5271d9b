#include "krylov/lanczos.h"

#include <algorithm>
#include <cmath>

#include "krylov/process/projected.h"
#include "krylov/process/tolerance.h"
#include "krylov/ritz/ghosts.h"

namespace ritzflow::krylov {
namespace {

// Indices (descending by value) of the eigenvalues of T that the ghost filter keeps.
std::vector<size_t> kept_values(const TridiagonalEigen& eigen, const KrylovFactorization& f,
                                const Reorthogonalization& mode) {
  const size_t m = eigen.values.size();
  std::vector<TridiagonalVerdict> verdicts(m, TridiagonalVerdict::good);
  if (!keeps_orthogonality(mode)) {
    verdicts = cullum_willoughby(f.alphas(), f.beta, eigen.values, eigen.first);
  }
  std::vector<size_t> kept;
  for (size_t i = m; i-- > 0;) {
    if (verdicts[i] == TridiagonalVerdict::good) kept.push_back(i);
  }
  return kept;
}

}  // namespace

LanczosOutcome assess(const KrylovFactorization& f, const Reorthogonalization& mode,
                      const LanczosOptions& options) {
  const TridiagonalEigen eigen = projected_ends(f);
  const std::vector<size_t> kept = kept_values(eigen, f, mode);
  std::vector<double> values;
  for (size_t i : kept) values.push_back(eigen.values[i]);
  LanczosOutcome outcome;
  for (const auto& end : wanted_ends(values, options.which, options.k)) {
    for (int64_t r = 0; r < std::min<int64_t>(end.count, static_cast<int64_t>(end.order.size())); ++r) {
      const size_t i = kept[end.order[static_cast<size_t>(r)]];
      const double estimate = f.beta.back() * std::abs(eigen.last[i]);
      outcome.worst_estimate = std::max(outcome.worst_estimate, estimate);
      const double goal = residual_goal(options.tol, eigen.values[i], f.norm_estimate);
      outcome.settled += estimate <= goal;
      outcome.converged += std::max(estimate, options.noise * f.norm_estimate) <= goal;
    }
  }
  return outcome;
}

LanczosOutcome run_lanczos(LanczosProcess& process, const Reorthogonalization& mode,
                           const LanczosOptions& options,
                           const std::function<bool(const LanczosOutcome&)>& observer) {
  const auto& f = process.factorization();
  const bool stops_early = traits_of(mode).stops_early;
  LanczosOutcome outcome;
  const auto judge = [&] {
    const bool last = f.products >= options.max_iters || f.exhausted;
    if (last || (stops_early && f.size() >= options.k)) outcome = assess(f, mode, options);
  };
  const auto done = [&] {
    return f.products >= options.max_iters || f.exhausted || (stops_early && outcome.settled >= options.k);
  };
  if (f.size() > 0) judge();  // a process that resumes from a checkpoint may be at its end
  while (!done() && process.step()) {
    judge();
    if (!observer(outcome)) {
      outcome.stopped = true;
      break;
    }
  }
  return outcome;
}

}  // namespace ritzflow::krylov
