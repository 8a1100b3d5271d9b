#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "krylov/lanczos.h"

namespace ritzflow {

/// The flags of a Lanczos run under their names of docs/formats.md: the same on the command line, in YAML and
/// as HDF5 attributes.
struct LanczosSettings {
  int64_t k = 10;
  int64_t max_iters = 100;
  double tol = 0;  ///< 0: not given; resolved() chooses reachable_tol()
  std::string which = "largest";
  std::string reorth_mode = "auto";
  int64_t reorth_window = 8;
  int64_t reorth_period = 5;
  int64_t krylov_dim = 0;
  int64_t seed = 0;
  std::string dtype_basis = "float64";

  LanczosOptions options() const { return {k, max_iters, tol, parse_which(which)}; }

  /// Relative noise of a product through stored vectors: that of the operator, or of rounding them if larger.
  double noise_floor(double noise) const;

  /// What residuals relative to ||A|| can reach: 1e-8, or ten times the noise floor where that is larger.
  double reachable_tol(double noise) const;
};

void declare_lanczos_flags(CLI::App& app, LanczosSettings& settings);

/// Throws InputError where the settings cannot be right for an operator of dimension n.
void check_lanczos_settings(const LanczosSettings& settings, int64_t n);

/// Rows that a basis of this run holds: all, or the newest that the mode reads.
BasisSize basis_size(const Reorthogonalization& mode, int64_t n, int64_t max_iters, bool keep_all);

/// Products that a certificate may spend: `budget`, or where that is 0 as many as the run, at least 30.
int64_t certificate_budget(int64_t budget, int64_t products);

/// Lanczos vectors that it holds at most: as many as the run where that restarts, 20 at least.
int64_t certificate_rows(const Reorthogonalization& mode, int64_t budget);

/// Parses `float64 | float32`; throws InputError on another word.
BasisType parse_basis_type(const std::string& text);

/// The mode named `reorth_mode` with its settings; `krylov_dim` 0 is max(3 k, k + 30). Rounding of stored
/// vectors counts as noise.
Reorthogonalization parse_mode(const LanczosSettings& settings, int64_t n, double noise);

/// The random start vector of a run, keyed by its seed: normal, of unit length.
std::vector<double> random_start(int64_t n, int64_t seed);

}  // namespace ritzflow
