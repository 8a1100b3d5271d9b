#include "stage/metrics.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "artifact/text_file.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

struct Options {
  std::string ritz, density, op;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("--ritz", options.ritz, "ritz.h5 of ritz-residuals")->required();
  app.add_option("--density", options.density, "density.h5, for the quantities of the whole spectrum");
  app.add_option(
      "--operator", options.op,
      "operator.h5: where its spectrum is known in closed form, the values are checked against it");
}

/// max_i |theta_i - lambda_i| / |lambda_1| over the largest eigenvalues, rank by rank, against the spectrum
/// that a K-FAC operator has in closed form; null where there is none, or other eigenvalues were wanted.
nlohmann::ordered_json closed_form_error(const std::string& op, const ArtifactReader& ritz,
                                         const std::vector<double>& eigenvalues) {
  if (op.empty()) return nullptr;
  const ArtifactReader file(op, "ritzflow-operator");
  if (!file.has("spectrum") || ritz.attribute<std::string>("which") != "largest") return nullptr;
  const auto spectrum = file.read<double>("spectrum");
  double worst = 0;
  for (size_t i = 0; i < eigenvalues.size(); ++i) {
    worst = std::max(worst, std::abs(eigenvalues[i] - spectrum.at(i)));
  }
  return spectrum.front() == 0 ? worst : worst / std::abs(spectrum.front());
}

void run(const Options& options, const StageRun& stage) {
  const ArtifactReader ritz(options.ritz, "ritzflow-ritz");
  std::optional<ArtifactReader> density;
  if (!options.density.empty()) density.emplace(options.density, "ritzflow-density");
  auto record = metrics_record(ritz, density ? &*density : nullptr);
  record["closed_form_error"] = closed_form_error(options.op, ritz, record["eigenvalues"]);
  write_text(stage.out, record.dump(2) + "\n");
}

}  // namespace

Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {.name = "metrics",
          .summary =
              "Writes the flat record of one cell: eigenvalues, true residuals, evidence, warnings.\n"
              "What is unknown is null, never 0 (docs/metrics.md).",
          .example = "metrics --ritz ritz.h5 --out metrics.json",
          .algorithm = 1,
          .declare = [options](CLI::App& app) { declare(app, *options); },
          .run = [options](StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
