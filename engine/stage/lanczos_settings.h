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
  double tol = 1e-8;
  std::string which = "largest";
  std::string reorth_mode = "auto";
  int64_t reorth_window = 8;
  int64_t reorth_period = 5;
  int64_t krylov_dim = 0;
  int64_t seed = 0;

  LanczosOptions options() const { return {k, max_iters, tol, parse_which(which)}; }
};

void declare_lanczos_flags(CLI::App& app, LanczosSettings& settings);

/// Throws InputError where the settings cannot be right for an operator of dimension n.
void check_lanczos_settings(const LanczosSettings& settings, int64_t n);

/// The mode that runs and why.
struct ModeChoice {
  Reorthogonalization mode;
  std::string reason;
};

/// What a mode is chosen for.
struct ModeContext {
  int64_t n = 0;       ///< dimension of the operator
  int64_t memory = 0;  ///< bytes that new allocations may take
  double noise = 0;    ///< relative noise of a product, as probed
};

/// Turns the requested mode into a value; `auto` is decided in one logged line: `full` where
/// the memory plan holds all its vectors, else `thick_restart` with as many as fit and the wanted end can
/// use; the line says whether the noise of a product leaves room for the tolerance. Throws InputError on an
/// unknown mode, Refusal where the vectors of the mode do not fit.
ModeChoice choose_mode(const LanczosSettings& settings, const ModeContext& context);

/// The mode named `reorth_mode` with its settings; `krylov_dim` 0 is max(3 k, k + 30).
Reorthogonalization parse_mode(const LanczosSettings& settings, int64_t n, double noise);

/// Memory that new allocations may take: what the system says is available.
int64_t available_memory();

/// The random start vector of a run, keyed by its seed: normal, of unit length.
std::vector<double> random_start(int64_t n, int64_t seed);

}  // namespace ritzflow
