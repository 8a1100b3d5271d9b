#include "spectrum/lanczos_run.h"

#include <spdlog/spdlog.h>

#include "checkpoint/product_log.h"
#include "checkpoint/resuming.h"
#include "core/error.h"
#include "spectrum/continuation.h"
#include "spectrum/expected_memory.h"
#include "spectrum/iterate.h"
#include "spectrum/lanczos_checkpoint.h"
#include "spectrum/mode_decision.h"

namespace ritzflow::spectrum {
namespace {

constexpr int64_t kElement = sizeof(double);

void add_choice(const ModeChoice& choice, LanczosRecord& record) {
  if (const int64_t dim = krylov::restart_dim(choice.mode); dim > 0) record.settings.krylov_dim = dim;
  record.reorth_mode = krylov::traits_of(choice.mode).mode;
  record.reorth_reason = choice.reason;
}

bool is_random(const LanczosTask& task) { return task.record.start.sha256.empty(); }

int64_t expected_memory(const LanczosTask& task, const ModeChoice& choice) {
  const int64_t start = is_random(task) ? 0 : task.record.n * kElement;
  return state_memory(task.loaded_memory, task.product_memory, choice.vectors_in_memory + start);
}

BasisPlan plan_of(const LanczosTask& task, const ModeChoice& choice,
                  const checkpoint::SegmentFolder* segments, const app::StageRun& stage) {
  const LanczosSettings& s = task.record.settings;
  return {.size = basis_size(choice.mode, task.record.n, s.max_iters, task.context.keep_all),
          .type = s.dtype_basis,
          .new_file = choice.on_disk ? row_files(segments, stage.out) : nullptr};
}

// A fresh process, or one that resumes from the checkpoint's newest state, or from a finished run.
krylov::LanczosProcess start_or_continue(krylov::LinearOperator& op, const LanczosTask& task,
                                         const ModeChoice& choice, const BasisPlan& plan,
                                         std::optional<LanczosCheckpoint>& checkpoint) {
  const auto seed = static_cast<uint64_t>(task.record.settings.seed);
  std::optional<LanczosCheckpoint::State> state;
  if (checkpoint) state = checkpoint->load(op.dim());
  if (!state && !task.continue_from.empty()) state = continued_state(task.continue_from, task.record, plan);
  if (state)
    return krylov::LanczosProcess(op, choice.mode, seed, std::move(state->factorization),
                                  std::move(state->basis));
  return krylov::LanczosProcess(op, task.start, choice.mode, seed, plan.make(op.dim()));
}

krylov::LanczosOutcome iterate_to_end(krylov::LanczosProcess& process, const LanczosTask& task,
                                      const ModeChoice& choice, std::optional<LanczosCheckpoint>& checkpoint,
                                      checkpoint::SegmentFolder* segments, const app::StageRun& stage) {
  krylov::LanczosOptions wanted = options_of(task.record.settings);
  wanted.noise = noise_floor(task.record.settings.dtype_basis, task.record.noise);
  const krylov::LanczosOutcome outcome = iterate(process, choice.mode, wanted, stage, [&] {
    if (checkpoint) checkpoint->offer(process);
  });
  if (outcome.stopped) {
    if (checkpoint) checkpoint->save(process);
    checkpoint::stop_by_signal(segments, fmt::format("{} products", process.factorization().products));
  }
  return outcome;
}

void certify(krylov::LinearOperator& op, const LanczosTask& task, const krylov::LanczosOutcome& outcome,
             checkpoint::SegmentFolder* segments, const app::StageRun& stage, LanczosRun& run) {
  const std::string without =
      no_certificate(task.certificate, run.choice.mode, outcome, run.record.settings.k);
  if (!without.empty()) return spdlog::info("no certificate: {}", without);
  checkpoint::ProductLog logged(op, segments);
  const RowFiles scratch = run.choice.on_disk ? scratch_row_files(segments, stage.out) : nullptr;
  certify_run(logged, task.facts, task.certificate, run.process, scratch, stage, run.record);
}

// Bytes of Lanczos vectors that the mode had to hold.
int64_t bytes_of_basis(const LanczosRecord& record, const krylov::Reorthogonalization& mode, BasisType type) {
  const int64_t products = record.factorization.products, rows = krylov::rows_needed(mode);
  return (rows == 0 ? products : std::min(rows, products)) * record.n * krylov::element_bytes(type);
}

// What lies above the tolerance where an estimate that meets it says nothing.
std::string floor_of(const LanczosRecord& record) {
  const double floor = noise_floor(record.settings.dtype_basis, record.noise);
  return floor > record.noise ? fmt::format("what a float32 basis rounds away, {:.3g} ||A||", floor)
                              : "the operator's noise";
}

void report(const krylov::LanczosOutcome& outcome, const LanczosRecord& record) {
  const int64_t below_noise = outcome.settled - outcome.converged;
  const std::string certified =
      record.certificate ? fmt::format(" and {} for the certificate", record.certificate->calls) : "";
  spdlog::info(
      "{} products{}, {} of {} wanted pairs have an estimated residual within tol {:.2g}{}{}",
      record.factorization.products, certified, outcome.converged, record.settings.k, record.settings.tol,
      below_noise == 0 ? ""
                       : fmt::format("; {} more are below {}, where only true residuals decide", below_noise,
                                     floor_of(record)),
      krylov::keeps_orthogonality(record.mode())
          ? ""
          : "; repeated values are counted once: ritz-residuals separates ghosts from multiple eigenvalues");
}

}  // namespace

LanczosRun run_task(TimedOperator& op, LanczosTask task, checkpoint::SegmentFolder* segments,
                    const app::StageRun& stage) {
  ModeChoice choice = choose_mode_once(task.record.settings, task.context, segments);
  add_choice(choice, task.record);
  const int64_t memory = expected_memory(task, choice);
  const BasisPlan plan = plan_of(task, choice, segments, stage);
  std::optional<LanczosCheckpoint> checkpoint;
  if (segments) checkpoint.emplace(*segments, plan);
  LanczosRun run = {
      task.record, start_or_continue(op, task, choice, plan, checkpoint), std::move(choice), {}, memory};
  // A random start vector is made again at the end; a warm one's file may have changed by then.
  if (is_random(task)) std::vector<double>().swap(task.start);
  const krylov::LanczosOutcome outcome =
      iterate_to_end(run.process, task, run.choice, checkpoint, segments, stage);
  run.record.factorization = run.process.factorization();
  run.record.converged = outcome.converged;
  try {
    certify(op, task, outcome, segments, stage, run);
  } catch (const Interrupted&) {
    if (checkpoint) checkpoint->save(run.process);
    throw;
  }
  run.record.basis_bytes = bytes_of_basis(run.record, run.choice.mode, plan.type);
  run.start = is_random(task) ? random_start(op.dim(), run.record.settings.seed) : std::move(task.start);
  report(outcome, run.record);
  return run;
}

}  // namespace ritzflow::spectrum
