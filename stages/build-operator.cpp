#include <spdlog/spdlog.h>

#include "app/settings_flags.h"
#include "app/stage.h"
#include "checkpoint/product_log.h"
#include "checkpoint/resuming.h"
#include "curvature/operator_file.h"
#include "operator_flags.h"
#include "settings/values.h"
#include "spectrum/expected_memory.h"

namespace ritzflow {
namespace {

struct Flags {
  OperatorFlags of_operator;
  CheckpointSettings checkpoint;
};

constexpr int kAlgorithm = 3;

void declare(CLI::App& app, Flags& flags) {
  flags.of_operator.declare(app);
  app::add_flags(app, flags.of_operator.draws(), "Operator");
  app::add_flags(app, flags.checkpoint, "Checkpoints");
}

// What a continuation must share with the run whose products it takes.
nlohmann::json identity(const curvature::BuiltOperator& built) {
  const OperatorSettings& s = built.settings;
  nlohmann::json all = identity_of(s);
  all.update(identity_of(s.risk));
  all.update(identity_of(s.draws));
  std::visit([&](const auto& of_kind) { all.update(identity_of(of_kind)); }, s.of_kind);
  all["data_sha256"] = built.digests.data;
  all["model_sha256"] = built.digests.model;
  all["matrix_sha256"] = built.digests.matrix;
  all["kfac_sha256"] = built.digests.kfac;
  if (built.plan) all["linearizations"] = word(built.plan->lifetime);
  all["algorithm"] = kAlgorithm;
  return all;
}

void run(const Flags& flags, const app::StageRun& stage) {
  const curvature::BuiltOperator built = curvature::build_operator(flags.of_operator.parsed());
  const auto segments = checkpoint::open_segments(flags.checkpoint, "build-operator", identity(built));
  checkpoint::ProductLog products(*built.op, segments.get());
  const int64_t memory =
      spectrum::state_memory(built.loaded_memory, built.product_memory(),
                             curvature::probe_vectors * built.op->dim() * int64_t{sizeof(double)});
  const curvature::Probes probes = curvature::checked_probes(built, products);
  nlohmann::json provenance = stage.provenance(checkpoint::attempts_of(segments.get()));
  if (memory > 0) provenance["expected_memory_bytes"] = memory;
  const curvature::OperatorInfo info = curvature::write_operator(built, probes, stage.out, provenance);
  checkpoint::retire(segments.get(), flags.checkpoint, stage.out);
  spdlog::info("{} of dimension {}: norm about {:.6g}, noise {:.2g} of it", word(info.kind), info.n_params,
               info.norm(), info.noise());
}

}  // namespace

app::Stage make_stage() {
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
      .run = [flags](app::StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
