#include "spectrum/lanczos_options.h"

#include <spdlog/spdlog.h>

#include <cmath>

#include "core/error.h"
#include "core/kernels.h"
#include "core/philox.h"

namespace ritzflow::spectrum {

krylov::LanczosOptions options_of(const LanczosSettings& s) { return {s.k, s.max_iters, s.tol, s.which}; }

double noise_floor(BasisType type, double noise) {
  return type == BasisType::float32 ? std::max(noise, krylov::unit_roundoff(type)) : noise;
}

double reachable_tol(BasisType type, double noise) { return std::max(1e-8, 10 * noise_floor(type, noise)); }

void check_lanczos_settings(const LanczosSettings& s, int64_t n) {
  if (s.k > n) throw InputError(fmt::format("--k {} is above the operator's dimension {}", s.k, n));
  if (s.krylov_dim != 0 && s.krylov_dim < std::min(n, s.k + 2)) {
    throw InputError(fmt::format("--krylov-dim {} is too small for --k {}: at least {}, better {}",
                                 s.krylov_dim, s.k, std::min(n, s.k + 2), std::min(n, 2 * s.k + 10)));
  }
  if (s.max_iters < s.k) {
    spdlog::warn("--max-iters {} is below --k {}: each product yields at most one eigenvalue", s.max_iters,
                 s.k);
  }
}

krylov::BasisSize basis_size(const krylov::Reorthogonalization& mode, int64_t n, int64_t max_iters,
                             bool keep_all) {
  const int64_t needed = krylov::rows_needed(mode), most = std::min(max_iters, n);
  if (krylov::traits_of(mode).restarts) return {.expected = std::min(needed, n)};
  if (keep_all || needed == 0) return {.expected = most};
  return {.capacity = needed};
}

int64_t certificate_budget(int64_t budget, int64_t products) {
  return budget > 0 ? budget : std::max<int64_t>(30, products);
}

int64_t certificate_rows(const krylov::Reorthogonalization& mode, int64_t budget) {
  return krylov::traits_of(mode).restarts ? std::max<int64_t>(20, krylov::restart_dim(mode)) : budget;
}

krylov::Reorthogonalization mode_of(const LanczosSettings& s, int64_t n, double noise) {
  return krylov::make_mode(s, n, noise_floor(s.dtype_basis, noise));
}

std::vector<double> random_start(int64_t n, int64_t seed) {
  std::vector<double> v(static_cast<size_t>(n));
  Philox(static_cast<uint64_t>(seed), "lanczos", "start vector").fill_normal(v);
  scale(1 / norm(v), v);
  return v;
}

}  // namespace ritzflow::spectrum
