#include "spectrum/metrics.h"

#include <fmt/format.h>

#include <optional>

#include "app/settings_flags.h"
#include "app/stage.h"
#include "artifact/text_file.h"
#include "core/error.h"
#include "spectrum/closed_form.h"

namespace ritzflow {
namespace {

constexpr int kAlgorithm = 7;

struct Options {
  std::string ritz, density, op;
  Regularization regularization;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("--ritz", options.ritz, "ritz.h5 of ritz-residuals")->type_name("FILE")->required();
  app.add_option("--density", options.density, "density.h5, for the quantities of the whole spectrum")
      ->type_name("FILE");
  app.add_option("--operator", options.op,
                 "operator.h5: where its spectrum is known in closed form, the values are checked against it")
      ->type_name("FILE");
  app::add_flags(app, options.regularization, "Regularization");
}

/// Throws unless the pairs are of this very operator: against another one's spectrum a check says nothing.
void require_operator_of(const artifact::ArtifactReader& ritz, const artifact::ArtifactReader& op) {
  const auto named = ritz.attribute<std::string>("operator_sha256");
  if (op.content_sha256() == named) return;
  throw InputError(
      fmt::format("--operator {}: {} is of another operator: it names operator_sha256 {}, this one is {}",
                  op.path().string(), ritz.path().string(), named, op.content_sha256()));
}

/// Fields of a self-check: the largest eigenvalues against the spectrum that a K-FAC operator has in closed
/// form; null where there is none, or other eigenvalues were wanted.
void add_closed_form(nlohmann::ordered_json& record, const std::string& op,
                     const artifact::ArtifactReader& ritz) {
  const std::vector<double> eigenvalues =
      spectrum::metrics_record(ritz, nullptr)["eigenvalues"];  // not regularised
  record["closed_form_error"] = record["closed_form_missed"] = nullptr;
  if (op.empty()) return;
  const artifact::ArtifactReader file(op, "ritzflow-operator");
  require_operator_of(ritz, file);
  if (eigenvalues.empty() || ritz.attribute<std::string>("which") != word(Which::largest)) return;
  if (!file.has("spectrum")) return;
  const spectrum::ClosedFormCheck check =
      spectrum::check_closed_form(eigenvalues, file.read<double>("spectrum"));
  record["closed_form_error"] = check.error;
  record["closed_form_missed"] = check.missed;
}

void run(const Options& options, const app::StageRun& stage) {
  const artifact::ArtifactReader ritz(options.ritz, "ritzflow-ritz");
  std::optional<artifact::ArtifactReader> density;
  if (!options.density.empty()) density.emplace(options.density, "ritzflow-density");
  auto record = spectrum::metrics_record(ritz, density ? &*density : nullptr, options.regularization);
  add_closed_form(record, options.op, ritz);
  record["regularization"] = options.regularization.amount;
  record["metrics_algorithm"] = kAlgorithm;
  artifact::write_sealed_json(stage.out, record);
}

}  // namespace

app::Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "metrics",
      .summary =
          "Writes the flat record of one cell: eigenvalues, true residuals, evidence, warnings.\n"
          "ritz_effective_rank = exp(-sum p log p), p = theta / sum theta;  sharpness_score = max |theta|;\n"
          "negative_mass_topk = sum of |theta < 0| / sum of |theta|.  What is unknown is null, never 0.",
      .example = "metrics --ritz ritz.h5 --out metrics.json",
      .algorithm = kAlgorithm,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](app::StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
