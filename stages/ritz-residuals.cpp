#include <spdlog/spdlog.h>

#include <cmath>

#include "core/error.h"
#include "core/kernels.h"
#include "curvature/operator_file.h"
#include "krylov/intervals.h"
#include "stage/checkpoint_flags.h"
#include "stage/lanczos_file.h"
#include "stage/product_log.h"
#include "stage/ritz_vectors.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

struct Options {
  std::string operator_file, lanczos_file;
  BasisFlags basis;
  CheckpointFlags checkpoint;
};

constexpr int kAlgorithm = 5;

void declare(CLI::App& app, Options& options) {
  app.option_defaults()->group("Input");
  app.add_option("--operator", options.operator_file, "operator.h5 of build-operator")
      ->type_name("FILE")
      ->required();
  app.add_option("--lanczos", options.lanczos_file, "lanczos.h5 of lanczos")->type_name("FILE")->required();
  declare_basis_flags(
      app, options.basis,
      "where Lanczos vectors are held, stored or replayed ones: ram | disk (beside the output) | "
      "none: a two-pass replay in the memory of two, for modes off and selective | auto");
  declare_checkpoint_flags(app, options.checkpoint);
}

void check_pair(const Options& options, const OpenOperator& opened, const LanczosRecord& record) {
  if (record.operator_sha256 != opened.info.sha256) {
    throw InputError(
        fmt::format("{} was made from another operator than {}: it names operator_sha256 {}, this one is {}",
                    options.lanczos_file, options.operator_file, record.operator_sha256, opened.info.sha256));
  }
}

// The attributes of the operator that tables and readers of ritz.h5 need.
std::map<std::string, Attribute> operator_facts(const OperatorInfo& info) {
  return {{"operator", info.kind},
          {"is_psd", info.is_psd},
          {"n_params", info.n_params},
          {"batch_size_used", info.batch_size_used},
          {"step", info.step},
          {"dtype_compute", info.dtype_compute},
          {"operator_sha256", info.sha256}};
}

// Pairs that the certificate met beyond the wanted ones, measured there, take their place in the list.
void add_locked(RitzEvidence& evidence, const RitzContext& context) {
  if (!context.record.certificate) return;
  for (RitzPair pair : context.record.certificate->found) {
    judge_pair(context.options, pair);
    evidence.pairs.push_back(std::move(pair));
  }
  std::stable_sort(evidence.pairs.begin(), evidence.pairs.end(),
                   [](const RitzPair& a, const RitzPair& b) { return a.value > b.value; });
}

// The start vector's share of each pair, where s_1 does not give it: after a restart, and of pairs that the
// certificate found.
void fill_gammas(RitzEvidence& evidence, const RitzContext& context, const ArtifactReader& lanczos) {
  std::vector<double> start;
  for (RitzPair& pair : evidence.pairs) {
    if (!std::isnan(pair.gamma)) continue;
    if (start.empty()) start = lanczos.read<double>("start_vector");
    pair.gamma = std::pow(dot(PairVector(pair, context.options.shelf).view(), start), 2);
  }
}

void run(const Options& options, const StageRun& stage) {
  OpenOperator opened = open_operator(options.operator_file);
  const ArtifactReader file(options.lanczos_file, "ritzflow-lanczos");
  RitzContext context;
  context.record = read_lanczos(file);
  context.lanczos_sha256 = file.content_sha256();
  context.operator_facts = operator_facts(opened.info);
  check_pair(options, opened, context.record);

  const auto segments = open_segments(options.checkpoint, "ritz-residuals",
                                      {{"operator_sha256", opened.info.sha256},
                                       {"lanczos_sha256", file.content_sha256()},
                                       {"algorithm", kAlgorithm}});
  ProductLog op(*opened.op, segments.get());
  const RitzVectors vectors(op, file,
                            {.basis = options.basis.basis,
                             .memory = options.basis.memory_bytes(),
                             .disk = free_disk(stage.out),
                             .repeatability = opened.info.probes.repeatability,
                             .loaded = opened.loaded_memory,
                             .products = host_memory_needed(opened.settings, opened.op->dim())},
                            context, stage);
  const LanczosSettings& settings = context.record.settings;
  context.options = {.k = settings.k,
                     .which = parse_which(settings.which),
                     .tol = settings.tol,
                     .norm_a = std::max(opened.info.norm(), context.record.factorization.norm_estimate()),
                     .noise = opened.info.noise(),
                     .epsilon = opened.info.epsilon(),
                     .shelf = vectors.shelf()};
  context.asymmetry = opened.info.probes.symmetry;
  RitzEvidence evidence = ritz_evidence(op, context.record.factorization, vectors.combinations(),
                                        context.record.mode(), context.options);
  context.options.norm_a = evidence.norm_a;
  context.replay_calls = vectors.replay_calls();
  add_locked(evidence, context);
  if (const auto& known = context.record.certificate) {
    const double slack = product_error(opened.info.noise(), opened.info.epsilon()) * evidence.norm_a;
    narrow_by_gaps(evidence.pairs, {known->lower_bound, known->upper_bound}, slack);
  }
  fill_gammas(evidence, context, file);
  nlohmann::json provenance = stage.provenance(segments.get());
  if (context.expected_memory > 0) provenance["expected_memory_bytes"] = context.expected_memory;
  write_ritz(stage.out, context, evidence, provenance);
  retire(segments.get(), options.checkpoint, stage.out);

  const auto converged = std::count_if(evidence.pairs.begin(), evidence.pairs.end(),
                                       [](const RitzPair& p) { return p.verdict == Verdict::converged; });
  spdlog::info("{} pairs, {} converged by their true residual; vectors {}", evidence.pairs.size(), converged,
               context.basis_source);
}

}  // namespace

Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "ritz-residuals",
      .summary =
          "Forms the wanted Ritz pairs (theta, x) and measures ||A x - theta x|| of each by one product;\n"
          "tells copies (ghosts) from eigenvectors, and gives every value an interval. Where lanczos kept\n"
          "no vectors they are replayed, product by product, and the bits of H compared.",
      .example = "ritz-residuals --operator operator.h5 --lanczos lanczos.h5 --out ritz.h5",
      .algorithm = kAlgorithm,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
