#include <spdlog/spdlog.h>

#include <cmath>

#include "app/number_checks.h"
#include "app/stage.h"
#include "artifact/text_file.h"
#include "core/error.h"
#include "curvature/kfac/leading.h"
#include "curvature/operator_file.h"
#include "curvature/operators/frobenius.h"
#include "curvature/operators/restriction.h"

namespace ritzflow {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kAlgorithm = 5;

struct Flags {
  std::filesystem::path op;
  int64_t k = 10, max_iters = 200, probes = 30, exact_below = 2000, seed = 0;
  bool no_layers = false;
};

void declare(CLI::App& app, Flags& flags) {
  app.add_option("--operator", flags.op, "operator.h5 of kind kfac or ekfac")->type_name("FILE")->required();
  app.add_option("--k", flags.k, "leading eigenpairs to compare")
      ->check(app::integer_from(1))
      ->capture_default_str();
  app.add_option("--max-iters", flags.max_iters, "Lanczos steps for these")
      ->check(app::integer_from(1))
      ->capture_default_str();
  app.add_option("--exact-below", flags.exact_below, "parameters up to which every column is formed")
      ->capture_default_str();
  app.add_option("--probes", flags.probes, "random vectors of the estimate above that size")
      ->check(app::integer_from(2, 1000000))
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "of the random vectors")
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

/// A K-FAC operator and the exact Gauss-Newton matrix, or their sub-blocks of one layer.
struct Compared {
  std::string name;
  std::shared_ptr<krylov::LinearOperator> kfac, ggn;
  std::vector<curvature::Eigenpair> leading;  ///< of kfac in closed form; empty where there is none
};

Json values(const std::vector<curvature::Eigenpair>& pairs) {
  Json list = Json::array();
  for (const auto& pair : pairs) list.push_back(pair.value);
  return list;
}

std::vector<curvature::Eigenpair> leading(krylov::LinearOperator& op, const Flags& flags, bool exact) {
  if (exact) return curvature::leading_of_matrix(curvature::dense_matrix(op), flags.k);
  return curvature::leading_by_lanczos(op, flags.k, flags.max_iters);
}

Json record(const Compared& pair, const Flags& flags, bool exact) {
  const curvature::FrobeniusError error =
      exact ? curvature::frobenius_error(*pair.kfac, *pair.ggn)
            : curvature::estimated_frobenius_error(*pair.kfac, *pair.ggn, flags.probes,
                                                   static_cast<uint64_t>(flags.seed), pair.name);
  // In closed form where the operator has one, so that no copy of a multiple eigenvalue is missed.
  const auto of_kfac = pair.leading.empty() ? leading(*pair.kfac, flags, exact) : pair.leading;
  const auto of_ggn = leading(*pair.ggn, flags, exact);
  const curvature::LeadingComparison both = curvature::compare_leading(of_kfac, of_ggn);
  Json all;  // what is not finite is written as null
  all["kfac_error"] = error.value;
  all["kfac_error_se"] = error.standard_error;
  all["eigenvalues"] = values(of_kfac);
  all["ggn_eigenvalues"] = values(of_ggn);
  all["ggn_residuals"] = Json::array();
  for (const auto& found : of_ggn) all["ggn_residuals"].push_back(found.residual);
  all["eigenvalue_errors"] = both.relative_errors;
  all["principal_angles"] = both.principal_angles;
  all["overlap"] = both.overlap;
  return all;
}

std::vector<double> part_of(const std::vector<double>& x, const std::vector<curvature::IndexRange>& ranges) {
  std::vector<double> part;
  for (const auto& range : ranges) {
    part.insert(part.end(), x.begin() + range.first, x.begin() + range.first + range.count);
  }
  return part;
}

Compared layer_of(const Compared& whole, const curvature::KroneckerOperator& kfac, size_t block, int64_t k) {
  const auto ranges = kfac.blocks()[block].coordinates();
  Compared layer{kfac.blocks()[block].name(), curvature::make_restriction(whole.kfac, ranges),
                 curvature::make_restriction(whole.ggn, ranges), curvature::leading_of_block(kfac, block, k)};
  for (auto& pair : layer.leading) pair.vector = part_of(pair.vector, ranges);
  return layer;
}

/// Of few enough parameters the matrix itself, so that a product of a layer does not cost one of the model.
std::shared_ptr<krylov::LinearOperator> in_memory(krylov::LinearOperator& op) {
  return curvature::make_matrix_operator(
      std::make_shared<const curvature::Matrix>(curvature::dense_matrix(op)));
}

Json compare(std::unique_ptr<krylov::LinearOperator> kfac, std::unique_ptr<krylov::LinearOperator> ggn,
             const Flags& flags, const app::StageRun& stage) {
  const bool exact = kfac->dim() <= flags.exact_below;
  // After a filter the operator has no layers any more.
  const std::shared_ptr<krylov::LinearOperator> op = std::move(kfac);
  const auto* kronecker = dynamic_cast<const curvature::KroneckerOperator*>(op.get());
  Compared whole{"",
                 exact ? in_memory(*op) : op,
                 exact ? in_memory(*ggn) : std::shared_ptr<krylov::LinearOperator>(std::move(ggn)),
                 {}};
  if (kronecker && kronecker->has_closed_form())
    whole.leading = curvature::leading_in_closed_form(*kronecker, flags.k);
  Json all = record(whole, flags, exact);
  all["kfac_error_method"] = exact ? "columns" : "hutchinson";
  all["ggn_eigenvalues_method"] = exact ? "dense" : "lanczos";
  if (!kronecker || flags.no_layers) return all;
  const size_t layers = kronecker->blocks().size();
  app::Progress progress = stage.progress("layers", static_cast<int64_t>(layers));
  for (size_t b = 0; b < layers; ++b) {
    const Compared layer = layer_of(whole, *kronecker, b, flags.k);
    all["layers"][layer.name] = record(layer, flags, exact);
    progress.update(static_cast<int64_t>(b) + 1, layer.name);
  }
  return all;
}

void run(const Flags& flags, const app::StageRun& stage) {
  curvature::OpenOperator kfac = curvature::open_operator(flags.op);
  const auto* settings = std::get_if<KroneckerSettings>(&kfac.settings.of_kind);
  if (settings == nullptr) {
    throw InputError(flags.op.string() + ": is an operator of kind " + word(kfac.info.kind) +
                     ", expected kfac or ekfac");
  }
  if (settings->damping != 0 || settings->power != 1) {
    spdlog::warn("the operator is (K + {} I)^{}, which no Gauss-Newton matrix is meant to equal",
                 settings->damping, settings->power);
  }
  Json all = compare(std::move(kfac.op), exact_ggn(kfac.settings).op, flags, stage);
  all["operator"] = word(kfac.info.kind);
  all["coverage"] = kfac.coverage;
  all["operator_sha256"] = kfac.info.sha256;
  all["k"] = flags.k;
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
