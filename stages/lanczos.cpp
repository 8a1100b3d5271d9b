#include <spdlog/spdlog.h>

#include "core/error.h"
#include "curvature/operator_file.h"
#include "stage/lanczos_file.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

struct Options {
  std::string operator_file;
  LanczosSettings settings;
  bool keep_basis = false;
};
void declare(CLI::App& app, Options& options) {
  app.add_option("--operator", options.operator_file, "operator.h5 of build-operator")->required();
  declare_lanczos_flags(app, options.settings);
  app.add_flag("--keep-basis", options.keep_basis, "store all Lanczos vectors in the output");
}

// Products, shown as they pass; stops with exit 75 when a signal asks for it.
LanczosOutcome iterate(LanczosProcess& process, const Reorthogonalization& mode, const LanczosOptions& wanted,
                       const StageRun& run) {
  Progress progress = run.progress("products", wanted.max_iters);
  const auto outcome = run_lanczos(process, mode, wanted, [&](const LanczosOutcome& now) {
    progress.update(process.factorization().size(), fmt::format("converged {}/{}", now.converged, wanted.k));
    return !stop_requested();
  });
  if (outcome.stopped) throw Interrupted("stopped by a signal; start the same command again");
  return outcome;
}

void run(const Options& options, const StageRun& stage) {
  OpenOperator opened = open_operator(options.operator_file);
  const int64_t n = opened.op->dim();
  check_lanczos_settings(options.settings, n);
  const ModeChoice choice = choose_mode(options.settings, n, available_memory());

  LanczosRecord record;
  record.settings = options.settings;
  record.reorth_mode = mode_name(choice.mode);
  record.reorth_reason = choice.reason;
  record.start_vector = random_start(n, options.settings.seed);
  record.operator_sha256 = opened.info.sha256;
  LanczosProcess process(*opened.op, record.start_vector, choice.mode,
                         static_cast<uint64_t>(options.settings.seed), options.keep_basis);
  const LanczosOutcome outcome = iterate(process, choice.mode, options.settings.options(), stage);

  record.factorization = process.factorization();
  record.converged = outcome.converged;
  const int64_t rows = rows_needed(choice.mode);
  record.basis_bytes = (rows == 0 ? process.basis().size() : std::min(rows, process.basis().size())) * n *
                       int64_t{sizeof(double)};
  write_lanczos(stage.out, record, options.keep_basis ? &process.basis() : nullptr, stage.provenance());
  spdlog::info("{} products, {} of {} wanted pairs meet the tolerance by their estimate",
               process.factorization().size(), outcome.converged, options.settings.k);
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
      .algorithm = 1,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
