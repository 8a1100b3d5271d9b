#pragma once
#include <functional>
#include <memory>

#include "app/stage.h"
#include "krylov/ritz/two_pass.h"
#include "spectrum/basis_plan.h"
#include "spectrum/ritz_file.h"

namespace ritzflow::spectrum {

/// How ritz-residuals gets at the Lanczos vectors of a run.
struct VectorSettings {
  ReplayPlace basis = ReplayPlace::automatic;
  int64_t memory = 0;        ///< bytes that they may take
  int64_t disk = 0;          ///< bytes that are free beside the output
  double repeatability = 0;  ///< of the operator's probes
  int64_t loaded = 0;        ///< bytes of the process before its first product
  int64_t products = 0;      ///< bytes of one, by its memory plan
};

/// The Lanczos vectors of a finished run, for combinations: those that its file keeps, or those of a replay.
///
/// - ram, disk: all rows are held. A replay whose bits differ from the record is said so, and takes its place
///   in `context`: its own relation holds for its own rows.
/// - none: a two-pass replay (two_pass.h), which forms combinations and holds no rows. Throws InputError for
///   a mode that reads all its rows, Refusal where products do not repeat their bits.
/// - auto: ram where the rows fit into memory; else none for rows that were not kept, where mode and operator
///   allow it, else disk; in one logged line.
///
/// Says what the stage will take at its peak (state_memory()). Sets `basis_source`, `expected_memory` and the
/// record's factorization in `context`.
class RitzVectors {
 public:
  RitzVectors(krylov::LinearOperator& op, const artifact::ArtifactReader& lanczos,
              const VectorSettings& settings, RitzContext& context, const app::StageRun& stage);

  const krylov::Combinations& combinations() const;

  /// For the vectors of pairs, where the rows lie on disk as well; else null.
  krylov::Basis* shelf() const { return shelf_.get(); }

  /// Products spent on the replay so far.
  int64_t replay_calls() const;

 private:
  void replay(krylov::LinearOperator& op, std::vector<double> start, const BasisPlan& plan,
              RitzContext& context, const app::StageRun& stage);
  void replay_in_two_passes(krylov::LinearOperator& op, BasisType type, int64_t batch, RitzContext& context,
                            const app::StageRun& stage);

  std::unique_ptr<krylov::Basis> rows_, shelf_;
  int64_t replayed_ = 0;  ///< products
  std::unique_ptr<app::Progress> progress_;
  std::vector<double> start_;  ///< of the two-pass replay, which may come back to it
  std::unique_ptr<krylov::TwoPass> two_pass_;
};

}  // namespace ritzflow::spectrum
