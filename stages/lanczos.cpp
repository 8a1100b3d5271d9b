#include <spdlog/spdlog.h>

#include "app/settings_flags.h"
#include "app/stage.h"
#include "checkpoint/resuming.h"
#include "core/error.h"
#include "curvature/operator_file.h"
#include "settings/values.h"
#include "spectrum/lanczos_run.h"
#include "spectrum/mode_decision.h"
#include "spectrum/warm_start.h"

namespace ritzflow {
namespace {

struct Options {
  std::string operator_file;
  LanczosSettings settings;
  bool keep_basis = false;
  std::string continue_from;
  std::string start;
  BasisSettings<BasisPlace> basis;
  CertificateSettings certificate;
  CheckpointSettings checkpoint;
};

void declare(CLI::App& app, Options& options) {
  app.option_defaults()->group("Input");
  app.add_option("--operator", options.operator_file, "operator.h5 of build-operator")
      ->type_name("FILE")
      ->required();
  app::add_flags(app, options.settings, "Lanczos");
  app::add_flags(app, options.basis, "Basis");
  app.add_flag("--keep-basis", options.keep_basis, "store all Lanczos vectors in the output");
  app::add_flags(app, options.certificate, "Certificate");
  app.option_defaults()->group("Start");
  app.add_option(
         "--continue-from", options.continue_from,
         "lanczos.h5 with a basis: resumes where that run ended, with --max-iters raised or --tol lowered")
      ->type_name("FILE");
  app.add_option("--start", options.start,
                 "ritz.h5 whose Ritz vectors the start vector is the sum of: of a nearby step, or of K-FAC's "
                 "operator. "
                 "Such a run makes no density")
      ->type_name("FILE");
  app::add_flags(app, options.checkpoint, "Checkpoints");
}

constexpr int kAlgorithm = 5;

// What a continuation must share with the run that it resumes: what was asked for, not what `auto` makes
// of it, which depends on the memory available then and is decided once (choose_mode_once()).
nlohmann::json identity(const spectrum::LanczosRecord& record, const Options& options) {
  nlohmann::json all = identity_of(record.settings);
  all.update(identity_of(options.certificate));
  all["operator_sha256"] = record.operator_sha256;
  all["noise"] = record.noise;
  all["start_sha256"] = record.start.sha256;
  all["keep_basis"] = options.keep_basis;
  all["algorithm"] = kAlgorithm;
  return all;
}

// The vector that the run begins with; says in `made_of` what a warm one was made of.
std::vector<double> start_vector(const Options& options, int64_t n, spectrum::WarmStart& made_of) {
  std::vector<double> start = spectrum::random_start(n, options.settings.seed);
  if (!options.start.empty()) made_of = spectrum::warm_start(options.start, start);
  return start;
}

spectrum::ModeContext context(const Options& options, const curvature::OpenOperator& opened,
                              const app::StageRun& stage) {
  const std::filesystem::path checkpoint = options.checkpoint.checkpoint;
  return {.n = opened.op->dim(),
          .memory = spectrum::vector_memory(options.basis.basis_memory),
          .noise = opened.info.noise(),
          .basis = options.basis.basis,
          .disk = spectrum::free_disk(checkpoint.empty() ? stage.out : checkpoint),
          .keep_all = options.keep_basis,
          .certificate = !options.certificate.no_certificate,
          .certificate_budget = options.certificate.certificate_budget};
}

// What is known of the run before its mode is chosen.
spectrum::LanczosRecord record_of(const Options& options, const curvature::OpenOperator& opened) {
  spectrum::LanczosRecord record;
  record.n = opened.op->dim();
  record.noise = opened.info.noise();
  record.epsilon = opened.info.epsilon();
  record.settings = spectrum::resolved(options.settings, record.n, record.noise);
  record.operator_sha256 = opened.info.sha256;
  return record;
}

nlohmann::json provenance_of(const app::StageRun& stage, const checkpoint::SegmentFolder* segments,
                             const spectrum::TimedOperator& op, const spectrum::LanczosRun& run) {
  nlohmann::json provenance = stage.provenance(checkpoint::attempts_of(segments));
  provenance["product_seconds"] = op.product_seconds();
  provenance["iteration_seconds"] = op.all_seconds();
  provenance["basis"] = run.choice.on_disk ? "disk" : "ram";
  provenance["basis_reason"] = run.choice.basis_reason;
  if (run.expected_memory > 0) provenance["expected_memory_bytes"] = run.expected_memory;
  return provenance;
}

spectrum::LanczosTask task_of(const Options& options, const curvature::OpenOperator& opened,
                              const app::StageRun& stage) {
  spectrum::LanczosTask task = {.record = record_of(options, opened),
                                .facts = opened.info.facts(),
                                .context = context(options, opened, stage),
                                .certificate = options.certificate,
                                .start = {},
                                .continue_from = options.continue_from,
                                .loaded_memory = opened.loaded_memory,
                                .product_memory = opened.product_memory};
  task.start = start_vector(options, task.record.n, task.record.start);
  return task;
}

void run_and_write(const Options& options, const app::StageRun& stage, curvature::OpenOperator& opened,
                   spectrum::LanczosTask task, checkpoint::SegmentFolder* segments) {
  spectrum::TimedOperator op(*opened.op);
  const spectrum::LanczosRun run = spectrum::run_task(op, std::move(task), segments, stage);
  spectrum::write_lanczos(stage.out, run.record, run.start,
                          options.keep_basis ? &run.process.basis() : nullptr,
                          provenance_of(stage, segments, op, run));
  checkpoint::retire(segments, options.checkpoint, stage.out);
}

void run(const Options& options, const app::StageRun& stage) {
  curvature::OpenOperator opened = curvature::open_operator(options.operator_file);
  spectrum::check_lanczos_settings(options.settings, opened.op->dim());
  spectrum::LanczosTask task = task_of(options, opened, stage);
  const auto segments =
      checkpoint::open_segments(options.checkpoint, "lanczos", identity(task.record, options));
  try {
    run_and_write(options, stage, opened, std::move(task), segments.get());
  } catch (const Error& error) {
    const bool declined = error.code() == ExitCode::bad_input || error.code() == ExitCode::refused;
    if (segments && declined) segments->leave_unused();
    throw;
  }
}

}  // namespace

app::Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "lanczos",
      .summary =
          "Runs Lanczos on a frozen operator: A Q' = Q' H + beta q e', with every subtracted coefficient\n"
          "recorded in H, so that the relation holds to rounding in every reorthogonalisation mode.",
      .example = "lanczos --operator operator.h5 --k 10 --max-iters 60 --reorth-mode full --out lanczos.h5",
      .algorithm = kAlgorithm,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](app::StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
