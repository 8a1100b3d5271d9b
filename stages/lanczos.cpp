#include <spdlog/spdlog.h>

#include "core/error.h"
#include "curvature/operator_file.h"
#include "stage/basis_plan.h"
#include "stage/certify_run.h"
#include "stage/checkpoint_flags.h"
#include "stage/continuation.h"
#include "stage/expected_memory.h"
#include "stage/iterate.h"
#include "stage/lanczos_checkpoint.h"
#include "stage/lanczos_file.h"
#include "stage/mode_decision.h"
#include "stage/product_log.h"
#include "stage/stage.h"
#include "stage/timed_operator.h"

namespace ritzflow {
namespace {

struct Options {
  std::string operator_file;
  LanczosSettings settings;
  bool keep_basis = false;
  std::string continue_from;
  std::string start;
  BasisFlags basis;
  CertificateFlags certificate;
  CheckpointFlags checkpoint;
};

void declare(CLI::App& app, Options& options) {
  app.option_defaults()->group("Input");
  app.add_option("--operator", options.operator_file, "operator.h5 of build-operator")
      ->type_name("FILE")
      ->required();
  declare_lanczos_flags(app, options.settings);
  declare_basis_flags(
      app, options.basis,
      "where Lanczos vectors are held: ram | disk (beside the output, or in the checkpoint, of "
      "which they are a part) | auto: ram if they fit; the results are bit-identical");
  declare_certificate_flags(app, options.certificate);
  app.add_flag("--keep-basis", options.keep_basis, "store all Lanczos vectors in the output");
  app.add_option(
         "--continue-from", options.continue_from,
         "lanczos.h5 with a basis: resumes where that run ended, with --max-iters raised or --tol lowered")
      ->type_name("FILE");
  app.add_option("--start", options.start,
                 "ritz.h5 whose Ritz vectors the start vector is the sum of: of a nearby step, or of K-FAC's "
                 "operator. "
                 "Such a run makes no density")
      ->type_name("FILE");
  declare_checkpoint_flags(app, options.checkpoint);
}

constexpr int kAlgorithm = 5;

// What a continuation must share with the run that it resumes: what was asked for, not what `auto` makes
// of it, which depends on the memory available then and is decided once (choose_mode_once()).
nlohmann::json identity(const LanczosRecord& record, const Options& options) {
  const LanczosSettings& s = record.settings;
  return {{"operator_sha256", record.operator_sha256},
          {"algorithm", kAlgorithm},
          {"reorth_mode", s.reorth_mode},
          {"reorth_window", s.reorth_window},
          {"reorth_period", s.reorth_period},
          {"krylov_dim", s.krylov_dim},
          {"noise", record.noise},
          {"dtype_basis", s.dtype_basis},
          {"seed", s.seed},
          {"start_sha256", record.start.sha256},
          {"k", s.k},
          {"tol", s.tol},
          {"which", s.which},
          {"max_iters", s.max_iters},
          {"certificate", !options.certificate.off},
          {"certificate_delta", options.certificate.delta},
          {"certificate_budget", options.certificate.budget},
          {"keep_basis", options.keep_basis}};
}

// The vector that the run begins with; says in `made_of` what a warm one was made of.
std::vector<double> start_vector(const Options& options, int64_t n, WarmStart& made_of) {
  std::vector<double> start = random_start(n, options.settings.seed);
  if (!options.start.empty()) made_of = warm_start(options.start, start);
  return start;
}

// A fresh process, or one that resumes from the checkpoint's newest state, or from a finished run.
LanczosProcess start_or_continue(LinearOperator& op, VectorView start, const Reorthogonalization& mode,
                                 const LanczosRecord& record, const Options& options, const BasisPlan& plan,
                                 std::optional<LanczosCheckpoint>& checkpoint) {
  const auto seed = static_cast<uint64_t>(record.settings.seed);
  std::optional<LanczosCheckpoint::State> state;
  if (checkpoint) state = checkpoint->load(op.dim());
  if (!state && !options.continue_from.empty()) state = continued_state(options.continue_from, record, plan);
  if (state) return LanczosProcess(op, mode, seed, std::move(state->factorization), std::move(state->basis));
  return LanczosProcess(op, start, mode, seed, plan.make(op.dim()));
}

ModeContext context(const Options& options, const OpenOperator& opened, const StageRun& stage) {
  const std::filesystem::path checkpoint = options.checkpoint.root;
  return {.n = opened.op->dim(),
          .memory = options.basis.memory_bytes(),
          .noise = opened.info.noise(),
          .basis = options.basis.basis,
          .disk = free_disk(checkpoint.empty() ? stage.out : checkpoint),
          .keep_all = options.keep_basis,
          .certificate = !options.certificate.off,
          .certificate_budget = options.certificate.budget};
}

// What is known of the run before its mode is chosen.
LanczosRecord record_of(const Options& options, const OpenOperator& opened) {
  LanczosRecord record;
  record.n = opened.op->dim();
  record.noise = opened.info.noise();
  record.epsilon = opened.info.epsilon();
  record.settings = resolved(options.settings, record.n, record.noise);
  record.operator_sha256 = opened.info.sha256;
  return record;
}

void add_choice(const ModeChoice& choice, LanczosRecord& record) {
  if (const auto* restarted = std::get_if<ThickRestart>(&choice.mode))
    record.settings.krylov_dim = restarted->krylov_dim;
  record.reorth_mode = mode_name(choice.mode);
  record.reorth_reason = choice.reason;
}

// Bytes of Lanczos vectors that the mode had to hold.
int64_t bytes_of_basis(const LanczosRecord& record, const Reorthogonalization& mode, BasisType type) {
  const int64_t products = record.factorization.products, rows = rows_needed(mode);
  return (rows == 0 ? products : std::min(rows, products)) * record.n * element_bytes(type);
}

nlohmann::json provenance_of(const StageRun& stage, const SegmentFolder* segments, const TimedOperator& op,
                             const ModeChoice& choice, int64_t memory) {
  nlohmann::json provenance = stage.provenance(segments);
  provenance["product_seconds"] = op.product_seconds();
  provenance["iteration_seconds"] = op.all_seconds();
  provenance["basis"] = choice.on_disk ? "disk" : "ram";
  provenance["basis_reason"] = choice.basis_reason;
  if (memory > 0) provenance["expected_memory_bytes"] = memory;
  return provenance;
}

// What lies above the tolerance where an estimate that meets it says nothing.
std::string floor_of(const LanczosRecord& record) {
  const double floor = record.settings.noise_floor(record.noise);
  return floor > record.noise ? fmt::format("what a float32 basis rounds away, {:.3g} ||A||", floor)
                              : "the operator's noise";
}

void report(const LanczosOutcome& outcome, const LanczosRecord& record) {
  const int64_t below_noise = outcome.settled - outcome.converged;
  const std::string certified =
      record.certificate ? fmt::format(" and {} for the certificate", record.certificate->calls) : "";
  spdlog::info(
      "{} products{}, {} of {} wanted pairs have an estimated residual within tol {:.2g}{}{}",
      record.factorization.products, certified, outcome.converged, record.settings.k, record.settings.tol,
      below_noise == 0 ? "" : fmt::format("; {} more are below {}", below_noise, floor_of(record)),
      keeps_orthogonality(record.mode())
          ? ""
          : "; repeated values are counted once: ritz-residuals separates ghosts from multiple eigenvalues");
}

// The part of a run that is kept in `segments`.
void run_from(SegmentFolder* segments, const Options& options, const StageRun& stage, OpenOperator& opened,
              const ModeContext& context, std::vector<double> start, LanczosRecord record) {
  const int64_t n = record.n;
  const ModeChoice choice = choose_mode_once(record.settings, context, segments);
  add_choice(choice, record);
  const bool warm = !options.start.empty();
  const int64_t memory = state_memory(opened.loaded_memory, host_memory_needed(opened.settings, n),
                                      choice.vectors_in_memory + (warm ? n : 0) * int64_t{sizeof(double)});

  const BasisPlan plan = {.size = basis_size(choice.mode, n, options.settings.max_iters, options.keep_basis),
                          .type = parse_basis_type(options.settings.dtype_basis),
                          .new_file = choice.on_disk ? row_files(segments, stage.out) : nullptr};
  std::optional<LanczosCheckpoint> checkpoint;
  if (segments) checkpoint.emplace(*segments, plan);
  TimedOperator op(*opened.op);
  LanczosProcess process = start_or_continue(op, start, choice.mode, record, options, plan, checkpoint);
  // A random one is made again at the end; a warm one's file may have changed by then.
  if (!warm) std::vector<double>().swap(start);
  LanczosOptions wanted = record.settings.options();
  wanted.noise = record.settings.noise_floor(record.noise);
  const LanczosOutcome outcome = iterate(process, choice.mode, wanted, stage, [&] {
    if (checkpoint) checkpoint->offer(process);
  });
  if (outcome.stopped) {
    if (checkpoint) checkpoint->save(process);
    stop_by_signal(segments, fmt::format("{} products", process.factorization().products));
  }

  record.factorization = process.factorization();
  record.converged = outcome.converged;
  try {
    const std::string without = no_certificate(options.certificate, choice.mode, outcome, wanted.k);
    if (!without.empty()) {
      spdlog::info("no certificate: {}", without);
    } else {
      ProductLog logged(op, segments);
      certify_run(logged, opened.info.norm(), opened.info.is_psd, options.certificate, process,
                  choice.on_disk ? scratch_row_files(segments, stage.out) : nullptr, stage, record);
    }
  } catch (const Interrupted&) {
    if (checkpoint) checkpoint->save(process);
    throw;
  }
  record.basis_bytes = bytes_of_basis(record, choice.mode, plan.type);
  if (!warm) start = random_start(n, options.settings.seed);
  write_lanczos(stage.out, record, start, options.keep_basis ? &process.basis() : nullptr,
                provenance_of(stage, segments, op, choice, memory));
  retire(segments, options.checkpoint, stage.out);
  report(outcome, record);
}

void run(const Options& options, const StageRun& stage) {
  OpenOperator opened = open_operator(options.operator_file);
  check_lanczos_settings(options.settings, opened.op->dim());
  const ModeContext today = context(options, opened, stage);
  LanczosRecord record = record_of(options, opened);
  std::vector<double> start = start_vector(options, record.n, record.start);
  const auto segments = open_segments(options.checkpoint, "lanczos", identity(record, options));
  try {
    run_from(segments.get(), options, stage, opened, today, std::move(start), record);
  } catch (const Error& error) {
    const bool declined = error.code() == ExitCode::bad_input || error.code() == ExitCode::refused;
    if (segments && declined) segments->leave_unused();
    throw;
  }
}

}  // namespace

Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "lanczos",
      .summary =
          "Runs Lanczos on a frozen operator: A Q' = Q' H + beta q e', with every subtracted coefficient\n"
          "recorded in H, so that the relation holds to rounding in every reorthogonalisation mode.",
      .example = "lanczos --operator operator.h5 --k 10 --max-iters 60 --reorth-mode full --out lanczos.h5",
      .algorithm = kAlgorithm,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
