#pragma once
#include <cstdint>
#include <vector>

#include "krylov/lanczos.h"
#include "settings/lanczos_settings.h"

namespace ritzflow::spectrum {

krylov::LanczosOptions options_of(const LanczosSettings& settings);

/// Relative noise of a product through stored vectors: that of the operator, or of rounding them if larger.
double noise_floor(BasisType type, double noise);

/// What residuals relative to ||A|| can reach: 1e-8, or ten times the noise floor where that is larger.
double reachable_tol(BasisType type, double noise);

/// Throws InputError where the settings cannot be right for an operator of dimension n.
void check_lanczos_settings(const LanczosSettings& settings, int64_t n);

/// Rows that a basis of this run holds: all, or the newest that the mode reads.
krylov::BasisSize basis_size(const krylov::Reorthogonalization& mode, int64_t n, int64_t max_iters,
                             bool keep_all);

/// Products that a certificate may spend: `budget`, or where that is 0 as many as the run, at least 30.
int64_t certificate_budget(int64_t budget, int64_t products);

/// Lanczos vectors that it holds at most: as many as the run where that restarts, 20 at least.
int64_t certificate_rows(const krylov::Reorthogonalization& mode, int64_t budget);

/// The mode of `settings`, which is not `auto`; `krylov_dim` 0 is max(3 k, k + 30). Rounding of stored
/// vectors counts as noise.
krylov::Reorthogonalization mode_of(const LanczosSettings& settings, int64_t n, double noise);

/// The random start vector of a run, keyed by its seed: normal, of unit length.
std::vector<double> random_start(int64_t n, int64_t seed);

}  // namespace ritzflow::spectrum
