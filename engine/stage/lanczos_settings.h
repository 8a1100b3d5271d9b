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
  std::string dtype_basis = "float64";

  LanczosOptions options() const { return {k, max_iters, tol, parse_which(which)}; }
};

void declare_lanczos_flags(CLI::App& app, LanczosSettings& settings);

/// Throws InputError where the settings cannot be right for an operator of dimension n.
void check_lanczos_settings(const LanczosSettings& settings, int64_t n);

/// The mode that runs, where its vectors lie, and why.
struct ModeChoice {
  Reorthogonalization mode;
  std::string reason = {};
  bool on_disk = false;
  std::string basis_reason = {};
};

/// What a mode is chosen for.
struct ModeContext {
  int64_t n = 0;                   ///< dimension of the operator
  int64_t memory = 0;              ///< bytes that Lanczos vectors may take
  double noise = 0;                ///< relative noise of a product, as probed
  std::string basis = "ram";       ///< `--basis`: ram, disk or auto
  int64_t disk = 0;                ///< bytes that are free where vectors on disk would lie
  bool keep_all = false;           ///< all vectors are held although the mode may read few
  bool certificate = false;        ///< a certificate follows, which holds vectors of its own
  int64_t certificate_budget = 0;  ///< products that it may spend; 0: as many as the run
};

/// Turns the requested mode into a value, and says where its vectors lie. `auto` is decided each in one
/// logged line: mode `full` where the memory plan holds all its vectors, or they lie on disk by request, else
/// `thick_restart` with as many as fit and the wanted end can use; the line says whether the noise of a
/// product leaves room for the tolerance. Basis `ram` where the vectors of the mode fit, those of its
/// certificate included, else `disk`. Throws InputError on an unknown word, Refusal where the vectors do not
/// fit.
ModeChoice choose_mode(const LanczosSettings& settings, const ModeContext& context);

/// What storing vectors adds to the relative noise of a product: 0, or for float32 its rounding 2^-24.
double storage_noise(const std::string& dtype_basis);

/// Rows that a basis of this run holds: all, or the newest that the mode reads.
BasisSize basis_size(const Reorthogonalization& mode, int64_t n, int64_t max_iters, bool keep_all);

/// Products that a certificate may spend: `budget`, or where that is 0 as many as the run, 20 at least.
int64_t certificate_budget(int64_t budget, int64_t products);

/// Parses `float64 | float32`; throws InputError on another word.
BasisType parse_basis_type(const std::string& text);

/// The mode named `reorth_mode` with its settings; `krylov_dim` 0 is max(3 k, k + 30). Rounding of stored
/// vectors counts as noise.
Reorthogonalization parse_mode(const LanczosSettings& settings, int64_t n, double noise);

/// Memory that Lanczos vectors may take: most of what the system says is available.
int64_t available_memory();

/// The random start vector of a run, keyed by its seed: normal, of unit length.
std::vector<double> random_start(int64_t n, int64_t seed);

}  // namespace ritzflow
