#pragma once
#include <memory>
#include <optional>

#include "checkpoint/segment_folder.h"
#include "krylov/process/factorization.h"
#include "spectrum/basis_plan.h"

namespace ritzflow::spectrum {

/// The segments of a Lanczos run: each holds the whole small state (H, beta, q) and the rows that came since
/// the segment before it. A run that holds few rows writes them all each time; one that restarts begins a new
/// chain with all rows of the compressed basis. Rows that lie on disk already are not written a second time:
/// a segment names their file and the digest of each, and they are part of the checkpoint from then on.
class LanczosCheckpoint {
 public:
  struct State {
    krylov::KrylovFactorization factorization;
    std::unique_ptr<krylov::Basis> basis;
  };

  LanczosCheckpoint(checkpoint::SegmentFolder& folder, BasisPlan plan)
      : folder_(folder), plan_(std::move(plan)) {}

  /// The newest state that all its segments vouch for, or nothing; one line of the log names the product from
  /// which it resumes.
  std::optional<State> load(int64_t n);

  /// Writes a segment if the folder's interval has passed.
  void offer(const krylov::LanczosProcess& process);

  /// Writes a segment now, unless the newest one is as far.
  void save(const krylov::LanczosProcess& process);

 private:
  void append_rows(const artifact::ArtifactReader& file, int64_t n, bool begins_chain,
                   std::unique_ptr<krylov::Basis>& basis);
  void write_rows(artifact::ArtifactWriter& file, const krylov::Basis& basis, int64_t first) const;

  checkpoint::SegmentFolder& folder_;
  BasisPlan plan_;
  std::filesystem::path rows_;  ///< of the newest chain, where they lie on disk
  int64_t saved_ = 0;           ///< products in the newest segment
  int64_t chain_ = 0;           ///< rows that restarts have compressed away, up to the newest segment
  int64_t chain_begin_ = 0;     ///< number of the first segment of its chain
};

}  // namespace ritzflow::spectrum
