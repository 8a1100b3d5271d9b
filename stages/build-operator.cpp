#include <spdlog/spdlog.h>

#include "app/number_checks.h"
#include "app/stage.h"
#include "checkpoint/checkpoint_flags.h"
#include "checkpoint/product_log.h"
#include "curvature/operator_file.h"
#include "operator_flags.h"
#include "spectrum/expected_memory.h"

namespace ritzflow {
namespace {

struct Flags {
  OperatorFlags of_operator;
  CheckpointFlags checkpoint;
};

constexpr int kAlgorithm = 3;

void declare(CLI::App& app, Flags& flags) {
  declare_operator_flags(app, flags.of_operator);
  declare_checkpoint_flags(app, flags.checkpoint);
  app.add_option("--seed", flags.of_operator.settings.seed, "of Monte-Carlo draws and probe vectors")
      ->check(integer_from(0))
      ->capture_default_str();
}

// What a continuation must share with the run whose products it takes.
nlohmann::json identity(const BuiltOperator& built) {
  const OperatorSettings& s = built.settings;
  return {{"operator", s.kind},
          {"data_sha256", built.digests.data},
          {"model_sha256", built.digests.model},
          {"matrix_sha256", built.digests.matrix},
          {"kfac_sha256", built.digests.kfac},
          {"step", s.step},
          {"ggn_mode", s.ggn_mode},
          {"mc_samples", s.mc_samples},
          {"params_filter", s.params_filter},
          {"batch_size", s.batch_size},
          {"dtype_compute", s.dtype_compute},
          {"hessian_mode", s.hessian_mode},
          {"fisher_unit", s.fisher_unit},
          {"fisher_clip", s.fisher_clip},
          {"linearizations", s.linearizations},
          {"compute_threads", s.compute_threads},
          {"device", s.device},
          {"uncovered", s.uncovered},
          {"damping", s.damping},
          {"power", s.power},
          {"seed", s.seed},
          {"algorithm", kAlgorithm}};
}

void run(const Flags& flags, const StageRun& stage) {
  const BuiltOperator built = build_operator(flags.of_operator.parsed());
  const auto segments = open_segments(flags.checkpoint, "build-operator", identity(built));
  ProductLog products(*built.op, segments.get());
  const int64_t memory =
      state_memory(built.loaded_memory, host_memory_needed(built.settings, built.op->dim()),
                   probe_vectors * built.op->dim() * int64_t{sizeof(double)});
  const Probes probes = checked_probes(built, products);
  nlohmann::json provenance = stage.provenance(attempts_of(segments.get()));
  if (memory > 0) provenance["expected_memory_bytes"] = memory;
  const OperatorInfo info = write_operator(built, probes, stage.out, provenance);
  retire(segments.get(), flags.checkpoint, stage.out);
  spdlog::info("{} of dimension {}: norm about {:.6g}, noise {:.2g} of it", info.kind, info.n_params,
               info.norm(), info.noise());
}

}  // namespace

Stage make_stage() {
  const auto flags = std::make_shared<Flags>();
  return {
      .name = "build-operator",
      .summary =
          "Freezes a symmetric operator A and probes its products for repeatability, additivity and "
          "symmetry.\nL = (1/W) sum_i w_i l(f(theta, x_i), y_i);  hessian: d2L/dtheta2;  ggn: (1/W) sum_i "
          "w_i J_i' (d2l/dz2)_i J_i;\nempirical_fisher: (1/W) sum_i w_i g_i g_i';  mc_fisher: the same with "
          "y_i drawn from the model;  kfac: block diagonal of A (x) G over the layers, ekfac: with the "
          "second\nmoments in its eigenbasis, both of collect-kfac.",
      .example = "build-operator --data data.h5 --model model.h5 --operator hessian --out operator.h5",
      .algorithm = kAlgorithm,
      .declare = [flags](CLI::App& app) { declare(app, *flags); },
      .run = [flags](StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
