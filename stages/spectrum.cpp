#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "app/settings_flags.h"
#include "app/stage.h"
#include "core/error.h"
#include "curvature/operator_file.h"
#include "curvature/probes.h"
#include "operator_flags.h"
#include "spectrum/lanczos_run.h"
#include "spectrum/mode_decision.h"
#include "spectrum/run_evidence.h"
#include "spectrum/warnings.h"

namespace ritzflow {
namespace {

struct Options {
  OperatorFlags op;
  LanczosSettings lanczos;
  BasisSettings<BasisPlace> basis;
  CertificateSettings certificate;
  std::string format = "table";
};

void declare(CLI::App& app, Options& options) {
  options.op.declare(app);
  app::add_flags(app, options.lanczos, "Lanczos");
  app::add_flags(app, options.basis, "Basis");
  app::add_flags(app, options.certificate, "Certificate");
  app.option_defaults()->group("Output and resources");
  app.add_option("--format", options.format, "table | json, on stdout")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

// What is printed of a run.
struct Spectrum {
  std::string kind;
  int64_t n = 0;
  krylov::OperatorFacts facts;
  const spectrum::LanczosRecord& record;
  const krylov::RitzEvidence& evidence;
  std::vector<std::string> warnings;

  int64_t operator_calls() const { return record.operator_calls() + evidence.operator_calls; }
  /// Whether no eigenvalue beyond those listed was missed at the ends that are wanted.
  bool certified() const {
    const LanczosSettings& wanted = record.settings;
    return record.certificate && record.certificate->certifies(wanted.which, wanted.k);
  }
};

// What is known of the eigenvalues that are not listed.
std::string beyond(const Spectrum& s) {
  if (!s.record.certificate)
    return "not certified: copies of multiple eigenvalues and others may be missing from this list";
  const krylov::Certificate& found = *s.record.certificate;
  if (!(found.lower_bound <= found.upper_bound)) return "certified: no eigenvalue is missing from this list";
  return fmt::format(
      "{}certified: eigenvalues not in this list lie in [{:.9g}, {:.9g}], with probability at least 1 - {:g}",
      s.certified() ? "" : "not ", spectrum::lower_bound_of(found, s.facts.is_psd), found.upper_bound,
      s.record.certificate_delta);
}

void print_table(const Spectrum& s) {
  fmt::print(
      "# {} of dimension {}; mode {}, {} products and {} for residuals; relative noise of a product {:.1e}\n",
      s.kind, s.n, word(s.record.reorth_mode), s.record.operator_calls(), s.evidence.operator_calls,
      s.facts.noise);
  fmt::print("{:>4}  {:>16}  {:>9}  {:>35}  {}\n", "#", "eigenvalue", "residual", "interval", "verdict");
  int64_t rank = 0;
  for (const krylov::RitzPair& pair : s.evidence.pairs) {
    fmt::print("{:>4}  {:>16.9g}  {:>9.2e}  [{:>16.9g}, {:>16.9g}]  {}\n", ++rank, pair.value, pair.residual,
               pair.interval[0], pair.interval[1], krylov::verdict_name(pair.verdict));
  }
  if (s.certified()) fmt::print("# {}\n", beyond(s));
}

void print_json(const Spectrum& s) {
  const auto& found = s.record.certificate;
  nlohmann::json all = {{"operator", s.kind},
                        {"n_params", s.n},
                        {"is_psd", s.facts.is_psd},
                        {"reorth_mode", word(s.record.reorth_mode)},
                        {"tol", s.record.settings.tol},
                        {"noise", s.facts.noise},
                        {"iterations", s.record.factorization.products},
                        {"operator_calls", s.operator_calls()},
                        {"certified_largest", found && found->certified_largest},
                        {"warnings", s.warnings}};
  for (const char* list : {"eigenvalues", "residuals", "intervals", "verdicts"})
    all[list] = nlohmann::json::array();
  for (const krylov::RitzPair& pair : s.evidence.pairs) {
    all["eigenvalues"].push_back(pair.value);
    all["residuals"].push_back(pair.residual);
    all["intervals"].push_back(pair.interval);
    all["verdicts"].push_back(krylov::verdict_name(pair.verdict));
  }
  all["upper_bound"] =
      found ? nlohmann::json(found->upper_bound) : nlohmann::json();  // dump() writes infinity as null
  all["lower_bound"] = found ? nlohmann::json(found->lower_bound) : nlohmann::json();
  fmt::print("{}\n", all.dump(1));
}

spectrum::LanczosTask task_of(const Options& options, const curvature::BuiltOperator& built,
                              const krylov::OperatorFacts& facts, const app::StageRun& stage) {
  const int64_t n = built.op->dim();
  spectrum::LanczosTask task = {.record = {},
                                .facts = facts,
                                .context = {.n = n,
                                            .memory = spectrum::vector_memory(options.basis.basis_memory),
                                            .noise = facts.noise,
                                            .basis = options.basis.basis,
                                            .disk = spectrum::free_disk(stage.out),
                                            .keep_all = true,
                                            .certificate = !options.certificate.no_certificate,
                                            .certificate_budget = options.certificate.certificate_budget},
                                .certificate = options.certificate,
                                .start = spectrum::random_start(n, options.lanczos.seed),
                                .continue_from = {},
                                .loaded_memory = built.loaded_memory,
                                .product_memory = built.product_memory()};
  task.record.n = n;
  task.record.noise = facts.noise;
  task.record.epsilon = facts.epsilon;
  task.record.settings = spectrum::resolved(options.lanczos, n, facts.noise);
  return task;
}

void run(const Options& options, app::StageRun& stage) {
  stage.out = std::filesystem::current_path() / "spectrum";  // beside which vectors on disk lie
  const curvature::BuiltOperator built = curvature::build_operator(options.op.parsed());
  spectrum::check_lanczos_settings(options.lanczos, built.op->dim());
  const curvature::Probes probes = curvature::checked_probes(built, *built.op);
  const krylov::OperatorFacts facts =
      curvature::facts_of(probes, built.settings.risk.dtype_compute, built.is_psd);
  spectrum::TimedOperator op(*built.op);
  const spectrum::LanczosRun run =
      spectrum::run_task(op, task_of(options, built, facts, stage), nullptr, stage);
  spectrum::RitzContext context;
  context.record = run.record;
  const krylov::RitzEvidence evidence =
      spectrum::run_evidence(op, facts, run.process.basis(), nullptr, context);
  Spectrum result = {word(built.settings.kind),
                     op.dim(),
                     facts,
                     context.record,
                     evidence,
                     spectrum::method_warnings(context, evidence)};
  if (!result.certified()) result.warnings.push_back(beyond(result));
  options.format == "json" ? print_json(result) : print_table(result);
  for (const auto& warning : result.warnings) spdlog::warn("{}", warning);
}

}  // namespace

app::Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "spectrum",
      .summary =
          "From a model and data to printed eigenvalues in one call: builds the operator, probes it, runs\n"
          "Lanczos with its certificate and measures the true residual ||A x - theta x|| of every pair.",
      .example =
          "spectrum --data data.h5 --model model.h5 --operator hessian --k 10 --tol 1e-6 --dtype-compute "
          "float64",
      .algorithm = 4,
      .writes_file = false,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](app::StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
