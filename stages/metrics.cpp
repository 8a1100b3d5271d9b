#include "stage/metrics.h"

#include <optional>

#include "artifact/text_file.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

struct Options {
  std::string ritz, density;
};
void declare(CLI::App& app, Options& options) {
  app.add_option("--ritz", options.ritz, "ritz.h5 of ritz-residuals")->required();
  app.add_option("--density", options.density, "density.h5, for the quantities of the whole spectrum");
}

void run(const Options& options, const StageRun& stage) {
  const ArtifactReader ritz(options.ritz, "ritzflow-ritz");
  std::optional<ArtifactReader> density;
  if (!options.density.empty()) density.emplace(options.density, "ritzflow-density");
  write_text(stage.out, metrics_record(ritz, density ? &*density : nullptr).dump(2) + "\n");
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
