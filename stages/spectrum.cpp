#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "core/error.h"
#include "curvature/operator_file.h"
#include "curvature/probes.h"
#include "krylov/evidence.h"
#include "operator_flags.h"
#include "stage/basis_plan.h"
#include "stage/iterate.h"
#include "stage/mode_decision.h"
#include "stage/stage.h"
#include "stage/warnings.h"

namespace ritzflow {
namespace {

struct Options {
  OperatorFlags op;
  LanczosSettings lanczos;
};

void declare(CLI::App& app, Options& options) {
  declare_operator_flags(app, options.op);
  declare_lanczos_flags(app, options.lanczos);
}

void print(const BuiltOperator& built, const Probes& probes, const std::string& mode, int64_t products,
           const RitzEvidence& evidence) {
  fmt::print(
      "# {} of dimension {}; mode {}, {} products and {} for residuals; relative noise of a product {:.1e}\n",
      built.settings.kind, built.op->dim(), mode, products, evidence.operator_calls,
      probes.additivity + probes.repeatability);
  fmt::print("{:>4}  {:>16}  {:>9}  {:>33}  {}\n", "#", "eigenvalue", "residual", "interval", "verdict");
  int64_t rank = 0;
  for (const auto& pair : evidence.pairs) {
    fmt::print("{:>4}  {:>16.9g}  {:>9.2e}  [{:>15.8g}, {:>15.8g}]  {}\n", ++rank, pair.value, pair.residual,
               pair.interval[0], pair.interval[1], verdict_name(pair.verdict));
  }
}

void run(const Options& options, const StageRun& stage) {
  const BuiltOperator built = build_operator(options.op.parsed());
  const int64_t n = built.op->dim();
  check_lanczos_settings(options.lanczos, n);
  const Probes probes = probe(*built.op, 0);
  require_symmetric_linear(probes, machine_epsilon(built.settings.dtype_compute));
  require_usable(built.settings, probes);
  const double noise = probes.additivity + probes.repeatability;
  const LanczosSettings settings = resolved(options.lanczos, n, noise);
  const ModeChoice choice =
      choose_mode(settings, {.n = n, .memory = available_memory(), .noise = noise, .keep_all = true});
  LanczosProcess process(*built.op, random_start(n, settings.seed), choice.mode,
                         static_cast<uint64_t>(settings.seed),
                         make_ram_basis(n, basis_size(choice.mode, n, settings.max_iters, true),
                                        parse_basis_type(settings.dtype_basis)));
  if (iterate(process, choice.mode, settings.options(), stage).stopped) {
    throw Error(ExitCode::failure, "stopped by a signal; nothing was written");
  }
  const auto& f = process.factorization();
  RitzContext context;
  context.options = {.k = settings.k,
                     .which = parse_which(settings.which),
                     .tol = settings.tol,
                     .norm_a = std::max(probes.norm, f.norm_estimate()),
                     .noise = noise,
                     .epsilon = machine_epsilon(built.settings.dtype_compute)};
  context.asymmetry = probes.symmetry;
  context.record.n = n;
  context.record.settings = settings;
  context.record.factorization.products = f.products;
  context.record.factorization.exhausted = f.exhausted;
  const RitzEvidence evidence = ritz_evidence(*built.op, f, process.basis(), choice.mode, context.options);
  print(built, probes, mode_name(choice.mode), f.products, evidence);
  for (const auto& warning : method_warnings(context, evidence)) spdlog::warn("{}", warning);
}

}  // namespace

Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "spectrum",
      .summary =
          "From a model and data to printed eigenvalues in one call: builds the operator, probes it, runs\n"
          "Lanczos and measures the true residual ||A x - theta x|| of every pair. Writes no file.",
      .example =
          "spectrum --data data.h5 --model model.h5 --operator hessian --k 10 --tol 1e-6 --dtype-compute "
          "float64",
      .algorithm = 4,
      .writes_file = false,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
