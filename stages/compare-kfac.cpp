#include <spdlog/spdlog.h>

#include <cmath>

#include "artifact/text_file.h"
#include "core/error.h"
#include "curvature/comparison.h"
#include "curvature/kfac_file.h"
#include "curvature/operator_file.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::filesystem::path op;
  int64_t k = 10, max_iters = 200, probes = 30, exact_below = 2000, seed = 0;
};

void declare(CLI::App& app, Flags& flags) {
  app.add_option("--operator", flags.op, "operator.h5 of kind kfac or ekfac")->required();
  app.add_option("--k", flags.k, "leading eigenpairs to compare")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--max-iters", flags.max_iters, "Lanczos steps for these")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--exact-below", flags.exact_below, "parameters up to which every column is formed")
      ->capture_default_str();
  app.add_option("--probes", flags.probes, "random vectors of the estimate above that size")
      ->check(CLI::Range(2, 1000000))
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "of the random vectors")->capture_default_str();
}

/// The exact Gauss-Newton matrix at the point of a K-FAC operator, over the same parameters.
BuiltOperator exact_ggn(const OperatorSettings& of_kfac) {
  OperatorSettings settings = of_kfac;
  settings.kind = "ggn";
  settings.ggn_mode = "true";
  return build_operator(settings);
}

/// Coordinates of each layer's parameters; none where a filter changed the coordinates.
std::vector<NamedRanges> layer_ranges(const OperatorSettings& settings) {
  std::vector<NamedRanges> all;
  if (!settings.params_filter.empty()) return all;
  const ParamSpace space = load_risk(settings).risk->network().params();
  for (const auto& layer : read_kfac(settings.kfac).factors.layers) {
    NamedRanges part{layer.name, {}};
    for (const auto& name : layer.parameters) {
      const Parameter& p = space.parameters()[space.index(name)];
      const int64_t row = p.size / p.shape[0];
      part.ranges.push_back(layer.is_part ? Range{p.offset + layer.first_row * row, layer.out() * row}
                                          : Range{p.offset, p.size});
    }
    all.push_back(std::move(part));
  }
  return all;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json values(const std::vector<Eigenpair>& pairs) {
  Json list = Json::array();
  for (const auto& pair : pairs) list.push_back(pair.value);
  return list;
}

Json record(const FrobeniusComparison& frobenius, const std::vector<NamedRanges>& layers) {
  Json all;
  all["kfac_error"] = number(frobenius.whole.value);
  all["kfac_error_se"] = number(frobenius.whole.standard_error);
  all["kfac_error_method"] = frobenius.exact ? "columns" : "hutchinson";
  for (size_t i = 0; i < layers.size(); ++i) {
    all["layers"][layers[i].name] = {{"kfac_error", number(frobenius.parts[i].value)},
                                     {"kfac_error_se", number(frobenius.parts[i].standard_error)}};
  }
  return all;
}

/// In closed form where the operator has one, so that no copy of a multiple eigenvalue is missed.
std::vector<Eigenpair> leading_of_kfac(LinearOperator& op, const Flags& flags) {
  const auto* kronecker = dynamic_cast<const KroneckerOperator*>(&op);
  auto pairs = kronecker ? kronecker->leading(flags.k) : std::vector<Eigenpair>{};
  return pairs.empty() ? leading_by_lanczos(op, flags.k, flags.max_iters) : pairs;
}

void add_leading(Json& all, const LeadingComparison& leading, const std::vector<Eigenpair>& of_kfac,
                 const std::vector<Eigenpair>& of_ggn) {
  all["eigenvalues"] = values(of_kfac);
  all["ggn_eigenvalues"] = values(of_ggn);
  all["ggn_residuals"] = Json::array();
  for (const auto& pair : of_ggn) all["ggn_residuals"].push_back(pair.residual);
  all["eigenvalue_errors"] = Json::array();
  for (const double error : leading.relative_errors) all["eigenvalue_errors"].push_back(number(error));
  all["principal_angles"] = leading.principal_angles;
  all["overlap"] = number(leading.overlap);
}

void run(const Flags& flags, const StageRun& stage) {
  OpenOperator kfac = open_operator(flags.op);
  if (kfac.settings.kfac.empty()) {
    throw InputError(flags.op.string() + ": is an operator of kind " + kfac.info.kind +
                     ", expected kfac or ekfac");
  }
  const BuiltOperator ggn = exact_ggn(kfac.settings);
  const auto layers = layer_ranges(kfac.settings);
  const auto frobenius = compare_frobenius(*kfac.op, *ggn.op, layers, flags.exact_below, flags.probes,
                                           static_cast<uint64_t>(flags.seed));
  const auto of_kfac = leading_of_kfac(*kfac.op, flags);
  const auto of_ggn = leading_by_lanczos(*ggn.op, flags.k, flags.max_iters);
  const LeadingComparison leading = compare_leading(of_kfac, of_ggn);
  Json all = record(frobenius, layers);
  add_leading(all, leading, of_kfac, of_ggn);
  all["operator"] = kfac.info.kind;
  all["coverage"] = kfac.coverage;
  all["operator_sha256"] = kfac.info.sha256;
  write_text(stage.out, all.dump(2) + "\n");
  spdlog::info(
      "{} against the Gauss-Newton matrix: relative Frobenius error {:.4g}, overlap of the leading {} {:.3f}",
      kfac.info.kind, frobenius.whole.value, of_kfac.size(), leading.overlap);
}

}  // namespace

Stage make_stage() {
  const auto flags = std::make_shared<Flags>();
  return {
      .name = "compare-kfac",
      .summary =
          "Says how far a K-FAC or EKFAC operator K is from the exact Gauss-Newton matrix F of its point:\n"
          "||K - F||_F / ||F||_F as a whole and by layer (every column, or random signs with a standard "
          "error),\nthe leading eigenvalues, and the principal angles between the spans of their vectors.",
      .example = "compare-kfac --operator operator.h5 --k 10 --out comparison.json",
      .algorithm = 1,
      .declare = [flags](CLI::App& app) { declare(app, *flags); },
      .run = [flags](StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
