#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "spectrum/lanczos_options.h"

namespace ritzflow::spectrum {

/// The mode that runs, where its vectors lie, and why.
struct ModeChoice {
  krylov::Reorthogonalization mode;
  std::string reason = {};
  bool on_disk = false;
  std::string basis_reason = {};
  int64_t vectors_in_memory = 0;  ///< bytes, beside the two vectors of a product
};

/// What `auto` decided at the first start of a run.
struct ModeDecision {
  ReorthMode reorth_mode = ReorthMode::full;
  int64_t krylov_dim = 0;
  std::string reason;
};

/// What a mode is chosen for.
struct ModeContext {
  int64_t n = 0;                             ///< dimension of the operator
  int64_t memory = 0;                        ///< bytes that Lanczos vectors may take
  double noise = 0;                          ///< relative noise of a product, as probed
  BasisPlace basis = BasisPlace::ram;        ///< `--basis`
  int64_t disk = 0;                          ///< bytes that are free where vectors on disk would lie
  bool keep_all = false;                     ///< all vectors are held although the mode may read few
  bool certificate = false;                  ///< a certificate follows, which holds vectors of its own
  int64_t certificate_budget = 0;            ///< products that it may spend; 0: as many as the run
  std::optional<ModeDecision> decided = {};  ///< `auto` stays with it, whatever the memory is now
};

/// Turns the requested mode into a value, and says where its vectors lie. `auto` is decided each in one
/// logged line: mode `full` where the memory plan holds all its vectors, or they lie on disk by request, else
/// `thick_restart` with as many as fit and the wanted end can use; the line says whether the noise of a
/// product leaves room for the tolerance. Where `auto` was decided before, it stays as it was. Basis `ram`
/// where the vectors of the mode fit, those of its certificate included, else `disk`. Throws Refusal where
/// the vectors do not fit.
ModeChoice choose_mode(const LanczosSettings& settings, const ModeContext& context);

}  // namespace ritzflow::spectrum
