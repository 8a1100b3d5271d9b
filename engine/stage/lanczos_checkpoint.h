#pragma once
#include <memory>
#include <optional>

#include "krylov/factorization.h"
#include "stage/segment_folder.h"

namespace ritzflow {

/// The segments of a Lanczos run: each holds the whole small state (H, beta, q) and the rows that came since
/// the segment before it. A run that holds few rows writes them all each time; one that restarts begins a new
/// chain with all rows of the compressed basis.
class LanczosCheckpoint {
 public:
  struct State {
    KrylovFactorization factorization;
    std::unique_ptr<Basis> basis;
  };

  /// `keep_all`: the run holds all rows although its mode does not read them.
  LanczosCheckpoint(SegmentFolder& folder, const Reorthogonalization& mode, bool keep_all)
      : folder_(folder), capacity_(keep_all || restarts(mode) ? 0 : rows_needed(mode)) {}

  /// The newest state that all its segments vouch for, or nothing; one line says where it goes on.
  std::optional<State> load(int64_t n);

  /// Writes a segment if the folder's interval has passed.
  void offer(const LanczosProcess& process);

  /// Writes a segment now, unless the newest one is as far.
  void save(const LanczosProcess& process);

 private:
  static bool restarts(const Reorthogonalization& mode) { return std::holds_alternative<ThickRestart>(mode); }

  SegmentFolder& folder_;
  int64_t capacity_;         ///< rows that a segment holds, 0: those behind the segment before it
  int64_t saved_ = 0;        ///< products in the newest segment
  int64_t chain_ = 0;        ///< rows that restarts have compressed away, up to the newest segment
  int64_t chain_begin_ = 0;  ///< number of the first segment of its chain
};

}  // namespace ritzflow
