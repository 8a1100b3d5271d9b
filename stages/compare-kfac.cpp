#include <spdlog/spdlog.h>

#include "app/number_checks.h"
#include "app/stage.h"
#include "artifact/text_file.h"
#include "core/error.h"
#include "curvature/kfac/kfac_comparison.h"
#include "curvature/operator_file.h"

namespace ritzflow {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kAlgorithm = 5;

struct Flags {
  std::filesystem::path op;
  curvature::KfacComparisonPlan plan;
  bool no_layers = false;
};

void declare(CLI::App& app, Flags& flags) {
  auto& plan = flags.plan;
  app.add_option("--operator", flags.op, "operator.h5 of kind kfac or ekfac")->type_name("FILE")->required();
  app.add_option("--k", plan.k, "leading eigenpairs to compare")
      ->check(app::integer_from(1))
      ->capture_default_str();
  app.add_option("--max-iters", plan.max_iters, "Lanczos steps for these")
      ->check(app::integer_from(1))
      ->capture_default_str();
  app.add_option("--exact-below", plan.exact_below, "parameters up to which every column is formed")
      ->capture_default_str();
  app.add_option("--probes", plan.probes, "random vectors of the estimate above that size")
      ->check(app::integer_from(2, 1000000))
      ->capture_default_str();
  app.add_option("--seed", plan.seed, "of the random vectors")
      ->check(app::integer_from(0))
      ->capture_default_str();
  app.add_flag("--no-layers", flags.no_layers, "compare the whole matrices alone");
}

/// The exact Gauss-Newton matrix at the point of a K-FAC operator, over the same parameters.
curvature::BuiltOperator exact_ggn(const OperatorSettings& of_kfac) {
  OperatorSettings settings = of_kfac;
  settings.kind = OperatorKind::ggn;
  settings.of_kind = GgnSettings{GgnMode::exact};
  return curvature::build_operator(settings);
}

void check_kronecker(const curvature::OpenOperator& kfac, const std::filesystem::path& file) {
  const auto* settings = std::get_if<KroneckerSettings>(&kfac.settings.of_kind);
  if (settings == nullptr) {
    throw InputError(file.string() + ": is an operator of kind " + word(kfac.info.kind) +
                     ", expected kfac or ekfac");
  }
  if (settings->damping != 0 || settings->power != 1) {
    spdlog::warn("the operator is (K + {} I)^{}, which no Gauss-Newton matrix is meant to equal",
                 settings->damping, settings->power);
  }
}

template <class Member>
Json list_of(const std::vector<curvature::Eigenpair>& pairs, Member member) {
  Json list = Json::array();
  for (const auto& pair : pairs) list.push_back(pair.*member);
  return list;
}

Json json_of(const curvature::MatrixComparison& compared) {
  Json all;  // what is not finite is written as null
  all["kfac_error"] = compared.error.value;
  all["kfac_error_se"] = compared.error.standard_error;
  all["eigenvalues"] = list_of(compared.of_kfac, &curvature::Eigenpair::value);
  all["ggn_eigenvalues"] = list_of(compared.of_ggn, &curvature::Eigenpair::value);
  all["ggn_residuals"] = list_of(compared.of_ggn, &curvature::Eigenpair::residual);
  all["eigenvalue_errors"] = compared.leading.relative_errors;
  all["principal_angles"] = compared.leading.principal_angles;
  all["overlap"] = compared.leading.overlap;
  return all;
}

Json json_of(const curvature::KfacComparison& compared) {
  Json all = json_of(compared.whole);
  all["kfac_error_method"] = compared.exact ? "columns" : "hutchinson";
  all["ggn_eigenvalues_method"] = compared.exact ? "dense" : "lanczos";
  for (const auto& layer : compared.layers) all["layers"][layer.layer] = json_of(layer);
  return all;
}

void run(const Flags& flags, const app::StageRun& stage) {
  curvature::OpenOperator kfac = curvature::open_operator(flags.op);
  check_kronecker(kfac, flags.op);
  curvature::KfacComparisonPlan plan = flags.plan;
  plan.layers = !flags.no_layers;
  std::unique_ptr<app::Progress> progress;
  const auto show = [&](size_t done, size_t total, const std::string& layer) {
    if (!progress) progress.reset(new app::Progress(stage.progress("layers", static_cast<int64_t>(total))));
    progress->update(static_cast<int64_t>(done), layer);
  };
  Json all = json_of(curvature::compare_kfac(std::move(kfac.op), exact_ggn(kfac.settings).op, plan, show));
  all["operator"] = word(kfac.info.kind);
  all["coverage"] = kfac.coverage;
  all["operator_sha256"] = kfac.info.sha256;
  all["k"] = plan.k;
  all["compare_kfac_algorithm"] = kAlgorithm;
  artifact::write_sealed_json(stage.out, all);
  spdlog::info(
      "{} against the Gauss-Newton matrix: relative Frobenius error {}, overlap of the leading {} {}",
      word(kfac.info.kind), all["kfac_error"].dump(), all["eigenvalues"].size(), all["overlap"].dump());
}

}  // namespace

app::Stage make_stage() {
  const auto flags = std::make_shared<Flags>();
  return {
      .name = "compare-kfac",
      .summary =
          "Says how far a K-FAC or EKFAC operator K is from the exact Gauss-Newton matrix F of its point:\n"
          "||K - F||_F / ||F||_F (every column, or random signs with a standard error), the leading "
          "eigenvalues, and\nthe principal angles between the spans of their vectors; of the whole matrices "
          "and of each layer's blocks.",
      .example = "compare-kfac --operator operator.h5 --k 10 --out comparison.json",
      .algorithm = kAlgorithm,
      .declare = [flags](CLI::App& app) { declare(app, *flags); },
      .run = [flags](app::StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
