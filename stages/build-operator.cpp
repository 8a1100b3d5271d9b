#include <spdlog/spdlog.h>

#include "curvature/operator_builder.h"
#include "curvature/operator_file.h"
#include "operator_flags.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

struct Flags {
  OperatorSettings settings;
  std::string matrix;
};

void declare(CLI::App& app, Flags& flags) {
  OperatorSettings& s = flags.settings;
  app.add_option("--data", s.data, "data.h5: the samples that the risk averages over");
  app.add_option("--model", s.model, "model.h5: the network and its parameters theta");
  app.add_option("--step", s.step, "training step: a number in model.h5, or final")->capture_default_str();
  app.add_option("--operator", s.kind, "hessian | ggn | mc_fisher | empirical_fisher | kfac | ekfac | matrix")
      ->required();
  app.add_option("--ggn-mode", s.ggn_mode, "ggn: true | empirical (rank one) | auto (= true)")
      ->capture_default_str();
  app.add_option("--mc-samples", s.mc_samples, "mc_fisher: draws a row")->capture_default_str();
  declare_kronecker_flags(app, s);
  app.add_option("--params-filter", s.params_filter, "GLOB ... of parameter names, '!GLOB' excludes");
  app.add_option("--batch-size", s.batch_size,
                 "samples in a micro-batch; changes cost and rounding, no more "
                 "(default: about 512 rows)");
  app.add_option("--dtype-compute", s.dtype_compute, "float32 | float64; a matrix is applied in float64")
      ->capture_default_str();
  app.add_option("--seed", s.seed, "of Monte-Carlo draws and probe vectors")->capture_default_str();
  app.add_option("--matrix", flags.matrix, "FILE.h5:/dataset: symmetric [n,n], or [n] as a diagonal");
}

void run(Flags& flags, const StageRun& stage) {
  if (!flags.matrix.empty()) flags.settings.matrix = parse_matrix_place(flags.matrix);
  const BuiltOperator built = build_operator(flags.settings);
  const OperatorInfo info = write_operator(built, stage.out, stage.provenance());
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
      .declare = [flags](CLI::App& app) { declare(app, *flags); },
      .run = [flags](StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
