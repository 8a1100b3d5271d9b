#include <spdlog/spdlog.h>

#include "app/settings_flags.h"
#include "app/stage.h"
#include "checkpoint/product_log.h"
#include "checkpoint/resuming.h"
#include "core/error.h"
#include "curvature/operator_file.h"
#include "spectrum/lanczos_file.h"
#include "spectrum/ritz_vectors.h"
#include "spectrum/run_evidence.h"

namespace ritzflow {
namespace {

struct Options {
  std::string operator_file, lanczos_file;
  BasisSettings<ReplayPlace> basis;
  CheckpointSettings checkpoint;
};

constexpr int kAlgorithm = 5;

void declare(CLI::App& app, Options& options) {
  app.option_defaults()->group("Input");
  app.add_option("--operator", options.operator_file, "operator.h5 of build-operator")
      ->type_name("FILE")
      ->required();
  app.add_option("--lanczos", options.lanczos_file, "lanczos.h5 of lanczos")->type_name("FILE")->required();
  app::add_flags(app, options.basis, "Basis");
  app::add_flags(app, options.checkpoint, "Checkpoints");
}

void require_same_operator(const Options& options, const curvature::OpenOperator& opened,
                           const spectrum::LanczosRecord& record) {
  if (record.operator_sha256 != opened.info.sha256) {
    throw InputError(
        fmt::format("{} was made from another operator than {}: it names operator_sha256 {}, this one is {}",
                    options.lanczos_file, options.operator_file, record.operator_sha256, opened.info.sha256));
  }
}

// The attributes of the operator that tables and readers of ritz.h5 need.
std::map<std::string, artifact::Attribute> attributes_of(const curvature::OperatorInfo& info) {
  return {{"operator", word(info.kind)},
          {"is_psd", info.is_psd},
          {"n_params", info.n_params},
          {"batch_size_used", info.batch_size_used},
          {"step", info.step},
          {"dtype_compute", word(info.dtype_compute)},
          {"operator_sha256", info.sha256}};
}

void run(const Options& options, const app::StageRun& stage) {
  curvature::OpenOperator opened = curvature::open_operator(options.operator_file);
  const artifact::ArtifactReader file(options.lanczos_file, "ritzflow-lanczos");
  spectrum::RitzContext context;
  context.record = spectrum::read_lanczos(file);
  context.lanczos_sha256 = file.content_sha256();
  context.operator_facts = attributes_of(opened.info);
  require_same_operator(options, opened, context.record);

  const auto segments = checkpoint::open_segments(options.checkpoint, "ritz-residuals",
                                                  {{"operator_sha256", opened.info.sha256},
                                                   {"lanczos_sha256", file.content_sha256()},
                                                   {"algorithm", kAlgorithm}});
  checkpoint::ProductLog op(*opened.op, segments.get());
  const spectrum::RitzVectors vectors(op, file,
                                      {.basis = options.basis.basis,
                                       .memory = spectrum::vector_memory(options.basis.basis_memory),
                                       .disk = spectrum::free_disk(stage.out),
                                       .repeatability = opened.info.probes.repeatability,
                                       .loaded = opened.loaded_memory,
                                       .products = opened.product_memory},
                                      context, stage);
  krylov::RitzEvidence evidence =
      spectrum::run_evidence(op, opened.info.facts(), vectors.combinations(), vectors.shelf(), context);
  context.replay_calls = vectors.replay_calls();
  if (spectrum::lacks_gammas(evidence))
    spectrum::fill_gammas(evidence, vectors.shelf(), file.read<double>("start_vector"));
  nlohmann::json provenance = stage.provenance(checkpoint::attempts_of(segments.get()));
  if (context.expected_memory > 0) provenance["expected_memory_bytes"] = context.expected_memory;
  spectrum::write_ritz(stage.out, context, evidence, provenance);
  checkpoint::retire(segments.get(), options.checkpoint, stage.out);

  spdlog::info("{} pairs, {} converged by their true residual; vectors {}", evidence.pairs.size(),
               spectrum::count_converged(evidence), context.basis_source);
}

}  // namespace

app::Stage make_stage() {
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
      .run = [options](app::StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
