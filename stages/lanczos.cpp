#include <spdlog/spdlog.h>

#include "core/error.h"
#include "curvature/memory_plan.h"
#include "curvature/operator_file.h"
#include "krylov/certificate.h"
#include "stage/basis_plan.h"
#include "stage/checkpoint_flags.h"
#include "stage/continuation.h"
#include "stage/iterate.h"
#include "stage/lanczos_checkpoint.h"
#include "stage/lanczos_file.h"
#include "stage/product_log.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

struct Options {
  std::string operator_file;
  LanczosSettings settings;
  bool keep_basis = false;
  bool no_certificate = false;
  std::string continue_from;
  BasisFlags basis;
  double certificate_delta = 1e-6;
  int64_t certificate_budget = 0;
  CheckpointFlags checkpoint;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("--operator", options.operator_file, "operator.h5 of build-operator")->required();
  declare_lanczos_flags(app, options.settings);
  declare_basis_flags(
      app, options.basis,
      "where Lanczos vectors are held: ram | disk (beside the output, or in the checkpoint, of "
      "which they are a part) | auto: ram if they fit; the bits are the same");
  app.add_flag("--no-certificate", options.no_certificate,
               "no search for missed pairs behind the converged ones");
  app.add_option("--certificate-delta", options.certificate_delta,
                 "probability that the certificate is wrong")
      ->check(CLI::Range(1e-300, 0.5))
      ->capture_default_str();
  app.add_option("--certificate-budget", options.certificate_budget,
                 "products at most; 0: as many as the run took, 20 at least")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--keep-basis", options.keep_basis, "store all Lanczos vectors in the output");
  app.add_option(
      "--continue-from", options.continue_from,
      "lanczos.h5 with a basis: goes on where that run ended, with --max-iters raised or --tol lowered");
  declare_checkpoint_flags(app, options.checkpoint);
}

constexpr int kAlgorithm = 2;

// What a continuation must share with the run that it goes on from.
nlohmann::json identity(const LanczosRecord& record, const Options& options) {
  const LanczosSettings& s = record.settings;
  return {{"operator_sha256", record.operator_sha256},
          {"algorithm", kAlgorithm},
          {"reorth_mode", record.reorth_mode},
          {"reorth_window", s.reorth_window},
          {"reorth_period", s.reorth_period},
          {"krylov_dim", s.krylov_dim},
          {"noise", record.noise},
          {"dtype_basis", s.dtype_basis},
          {"seed", s.seed},
          {"k", s.k},
          {"tol", s.tol},
          {"which", s.which},
          {"max_iters", s.max_iters},
          {"certificate", !options.no_certificate},
          {"certificate_delta", options.certificate_delta},
          {"certificate_budget", options.certificate_budget},
          {"keep_basis", options.keep_basis}};
}

// A fresh process, or one that goes on from the checkpoint's newest state, or from a finished run.
LanczosProcess start_or_continue(LinearOperator& op, const Reorthogonalization& mode,
                                 const LanczosRecord& record, const Options& options, const BasisPlan& plan,
                                 std::optional<LanczosCheckpoint>& checkpoint) {
  const auto seed = static_cast<uint64_t>(record.settings.seed);
  std::optional<LanczosCheckpoint::State> state;
  if (checkpoint) state = checkpoint->load(op.dim());
  if (!state && !options.continue_from.empty()) state = continued_state(options.continue_from, record, plan);
  if (state) return LanczosProcess(op, mode, seed, std::move(state->factorization), std::move(state->basis));
  return LanczosProcess(op, record.start_vector, mode, seed, plan.make(op.dim()));
}

// What is deflated: the wanted pairs, by their estimates, and their neighbours. The bound needs no products
// for residuals.
std::vector<RitzPair> deflated_pairs(const LanczosProcess& process, const Reorthogonalization& mode,
                                     const LanczosOptions& wanted) {
  const auto candidates = ritz_candidates(process.factorization(), mode);
  std::vector<RitzPair> pairs = wanted_pairs(candidates, process.basis(), wanted.which, wanted.k);
  std::erase_if(pairs, [](const RitzPair& pair) { return pair.verdict != Verdict::unconverged; });
  for (RitzPair& pair : pairs) pair.verdict = Verdict::converged;
  if (std::holds_alternative<Full>(mode) || std::holds_alternative<ThickRestart>(mode)) {
    for (RitzPair& pair : companions(candidates, process.basis(), wanted.which, wanted.k, 2 * wanted.k)) {
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

// Looks behind the wanted pairs for eigenvalues that one start vector cannot show. Where orthogonality is
// lost or pairs are missing there is nothing to certify. It holds no more vectors than the run did, 20 at
// least.
std::optional<Certificate> certify_run(const Options& options, const OpenOperator& opened,
                                       const LanczosProcess& process, const Reorthogonalization& mode,
                                       const LanczosOutcome& outcome, const BasisPlan& plan,
                                       const StageRun& stage, SegmentFolder* segments) {
  const LanczosOptions wanted = options.settings.options();
  if (options.no_certificate || !keeps_orthogonality(mode) || outcome.settled < wanted.k) return std::nullopt;
  const auto& f = process.factorization();
  const int64_t budget = certificate_budget(options.certificate_budget, f.products);
  const auto* restarted = std::get_if<ThickRestart>(&mode);
  Progress progress = stage.progress("products of the certificate", budget);
  ProductLog op(*opened.op, segments);
  const double noise = std::max(opened.info.noise(), storage_noise(options.settings.dtype_basis));
  std::function<std::unique_ptr<Basis>()> on_disk;
  if (plan.new_file) {
    on_disk = [n = op.dim(), scratch = row_files(nullptr, stage.out)] {
      return make_disk_basis(n, BasisType::float64, scratch);
    };
  }
  Certificate certificate =
      certify(op, deflated_pairs(process, mode, wanted),
              {.k = wanted.k,
               .which = wanted.which,
               .tol = wanted.tol,
               .delta = options.certificate_delta,
               .budget = budget,
               .rows = restarted ? std::max<int64_t>(20, restarted->krylov_dim) : budget,
               .seed = static_cast<uint64_t>(options.settings.seed),
               .norm_a = std::max(opened.info.norm(), f.norm_estimate()),
               .noise = noise,
               .new_basis = on_disk},
              [&](int64_t calls) {
                progress.update(calls);
                return true;  // a signal ends the product log
              });
  const auto said = [](bool certified) { return certified ? "certified" : "not certified"; };
  spdlog::info(
      "certificate: {} of {} products{}, {} pairs found behind the wanted ones; largest {}, smallest {}; "
      "every other eigenvalue in [{:.6g}, {:.6g}] but for probability {:g}",
      certificate.calls, budget, certificate.hopeless ? " (the bound falls too slowly)" : "",
      certificate.found.size(), said(certificate.certified_largest), said(certificate.certified_smallest),
      certificate.lower_bound, certificate.upper_bound, options.certificate_delta);
  return certificate;
}

ModeContext context(const Options& options, const OpenOperator& opened, const StageRun& stage) {
  const std::string& memory = options.basis.memory;
  const std::filesystem::path checkpoint = options.checkpoint.root;
  return {.n = opened.op->dim(),
          .memory = memory.empty() ? available_memory() : parse_memory(memory),
          .noise = opened.info.noise(),
          .basis = options.basis.basis,
          .disk = free_disk(checkpoint.empty() ? stage.out : checkpoint),
          .keep_all = options.keep_basis,
          .certificate = !options.no_certificate,
          .certificate_budget = options.certificate_budget};
}

void run(const Options& options, const StageRun& stage) {
  OpenOperator opened = open_operator(options.operator_file);
  const int64_t n = opened.op->dim();
  check_lanczos_settings(options.settings, n);
  const ModeChoice choice = choose_mode(options.settings, context(options, opened, stage));
  const auto* restarted = std::get_if<ThickRestart>(&choice.mode);

  LanczosRecord record;
  record.settings = options.settings;
  if (restarted) record.settings.krylov_dim = restarted->krylov_dim;
  record.noise = opened.info.noise();
  record.reorth_mode = mode_name(choice.mode);
  record.reorth_reason = choice.reason;
  record.start_vector = random_start(n, options.settings.seed);
  record.operator_sha256 = opened.info.sha256;
  const auto segments = open_segments(options.checkpoint, "lanczos", identity(record, options));
  const BasisPlan plan = {.size = basis_size(choice.mode, n, options.settings.max_iters, options.keep_basis),
                          .type = parse_basis_type(options.settings.dtype_basis),
                          .new_file = choice.on_disk ? row_files(segments.get(), stage.out) : nullptr};
  std::optional<LanczosCheckpoint> checkpoint;
  if (segments) checkpoint.emplace(*segments, plan);
  LanczosProcess process = start_or_continue(*opened.op, choice.mode, record, options, plan, checkpoint);
  LanczosOptions wanted = options.settings.options();
  wanted.noise = std::max(record.noise, storage_noise(options.settings.dtype_basis));
  const LanczosOutcome outcome = iterate(process, choice.mode, wanted, stage, [&] {
    if (checkpoint) checkpoint->offer(process);
  });
  if (outcome.stopped) {
    if (checkpoint) checkpoint->save(process);
    stop_by_signal(segments.get(), fmt::format("{} products", process.factorization().products));
  }

  record.factorization = process.factorization();
  record.converged = outcome.converged;
  try {
    record.certificate =
        certify_run(options, opened, process, choice.mode, outcome, plan, stage, segments.get());
  } catch (const Interrupted&) {
    if (checkpoint) checkpoint->save(process);
    throw;
  }
  record.certificate_budget = certificate_budget(options.certificate_budget, record.factorization.products);
  record.certificate_delta = options.certificate_delta;
  const int64_t products = record.factorization.products;
  const int64_t mode_rows = rows_needed(choice.mode);
  record.basis_bytes = (mode_rows == 0 ? products : std::min(mode_rows, products)) * n *
                       (plan.type == BasisType::float32 ? 4 : 8);
  nlohmann::json provenance = stage.provenance(segments.get());
  provenance["basis"] = choice.on_disk ? "disk" : "ram";
  provenance["basis_reason"] = choice.basis_reason;
  write_lanczos(stage.out, record, options.keep_basis ? &process.basis() : nullptr, provenance);
  retire(segments.get(), options.checkpoint, stage.out);
  spdlog::info("{} products, {} of {} wanted pairs meet the tolerance by their estimate{}", products,
               outcome.converged, options.settings.k,
               outcome.settled == outcome.converged
                   ? ""
                   : fmt::format("; for {} more it is below the operator's noise",
                                 outcome.settled - outcome.converged));
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
