#include <spdlog/spdlog.h>

#include "curvature/operator_file.h"
#include "operator_flags.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

void declare(CLI::App& app, OperatorFlags& flags) {
  declare_operator_flags(app, flags);
  app.add_option("--seed", flags.settings.seed, "of Monte-Carlo draws and probe vectors")
      ->capture_default_str();
}

void run(const OperatorFlags& flags, const StageRun& stage) {
  const BuiltOperator built = build_operator(flags.parsed());
  const OperatorInfo info = write_operator(built, stage.out, stage.provenance());
  spdlog::info("{} of dimension {}: norm about {:.6g}, noise {:.2g} of it", info.kind, info.n_params,
               info.norm(), info.noise());
}

}  // namespace

Stage make_stage() {
  const auto flags = std::make_shared<OperatorFlags>();
  return {
      .name = "build-operator",
      .summary =
          "Freezes a symmetric operator A and probes its products for repeatability, additivity and "
          "symmetry.\nL = (1/W) sum_i w_i l(f(theta, x_i), y_i);  hessian: d2L/dtheta2;  ggn: (1/W) sum_i "
          "w_i J_i' (d2l/dz2)_i J_i;\nempirical_fisher: (1/W) sum_i w_i g_i g_i';  mc_fisher: the same with "
          "y_i drawn from the model;  kfac: block diagonal of A (x) G over the layers, ekfac: with the "
          "second\nmoments in its eigenbasis, both of collect-kfac.",
      .example = "build-operator --data data.h5 --model model.h5 --operator hessian --out operator.h5",
      .declare = [flags](CLI::App& app) { declare(app, *flags); },
      .run = [flags](StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
