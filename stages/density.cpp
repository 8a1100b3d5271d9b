#include <spdlog/spdlog.h>

#include "app/settings_flags.h"
#include "app/stage.h"
#include "core/error.h"
#include "krylov/density/exact_density.h"
#include "spectrum/density_file.h"

namespace ritzflow {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string operator_file;
  DensitySettings density;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("LANCZOS", options.files, "lanczos.h5 of each probe vector, all of one operator and mode")
      ->type_name("FILE");
  app.add_option("--operator", options.operator_file,
                 "operator.h5: where its spectrum is known in closed form (kfac, ekfac) the density is "
                 "exact, and runs "
                 "are only checked to be of it")
      ->type_name("FILE");
  app::add_flags(app, options.density, "Density");
}

void report(const std::string& origin, const krylov::SpectralDensity& density) {
  const krylov::BoundedValue &fraction = density.negative_fraction, &mass = density.negative_mass;
  spdlog::info("{}: negative fraction {:.4g} in [{:.4g}, {:.4g}], negative mass {:.4g} in [{:.4g}, {:.4g}]",
               origin, fraction.value, fraction.lower, fraction.upper, mass.value, mass.lower, mass.upper);
}

void require_runs_of(const std::string& path, const std::string& sha256, const std::string& of_runs) {
  if (of_runs != sha256) throw InputError(path + ": the runs are of another operator");
}

// As the operator says, if it is given.
bool semidefinite(const std::string& path, const spectrum::DensityInput& input) {
  if (path.empty()) return false;
  const artifact::ArtifactReader file(path, "ritzflow-operator");
  require_runs_of(path, file.content_sha256(), input.operator_sha256);
  return file.attribute<bool>("is_psd");
}

krylov::DensityOptions options_of(const DensitySettings& s) {
  return {
      .grid_points = s.grid_points, .bandwidth = s.bandwidth, .deviations = s.deviations, .delta = s.delta};
}

// Runs add nothing to a spectrum in closed form, but those of another operator are a mistake.
void write_exact(const Options& options, const spectrum::ExactDensityInput& known,
                 const app::StageRun& stage) {
  for (const auto& path : options.files) {
    const artifact::ArtifactReader file(path, "ritzflow-lanczos");
    require_runs_of(options.operator_file, known.operator_sha256,
                    file.attribute<std::string>("operator_sha256"));
  }
  const krylov::SpectralDensity density = krylov::exact_density(known.spectrum, options_of(options.density));
  spectrum::write_density(stage.out, known, density, stage.provenance());
  report(fmt::format("all {} eigenvalues in closed form", known.spectrum.size()), density);
}

void run(const Options& options, const app::StageRun& stage) {
  if (!options.operator_file.empty()) {
    if (const auto known = spectrum::read_closed_form(options.operator_file))
      return write_exact(options, *known, stage);
  }
  if (options.files.empty()) {
    throw InputError(
        options.operator_file.empty()
            ? "LANCZOS is required: a lanczos.h5 for each probe vector, or --operator of kind kfac or ekfac"
            : options.operator_file +
                  ": its spectrum is not known in closed form; give a lanczos.h5 for each probe vector");
  }
  const spectrum::DensityInput input = spectrum::read_density_input(options.files);
  krylov::DensityOptions wanted = options_of(options.density);
  wanted.n = input.n;
  wanted.widening = input.widening;
  wanted.semidefinite = semidefinite(options.operator_file, input);
  if (input.widening > 0)
    spdlog::warn("bounds are widened by {:g}: {}", input.widening, input.widening_reason);
  const krylov::SpectralDensity density = krylov::spectral_density(input.probes, wanted);
  spectrum::write_density(stage.out, input, wanted, density, stage.provenance());
  report(fmt::format("{} probes, {} outliers deflated exactly", input.probes.size(), density.outliers.size()),
         density);
}

}  // namespace

app::Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "density",
      .summary =
          "Spectral density of the whole operator by stochastic Lanczos quadrature over probe vectors:\n"
          "P(x) = share of eigenvalues <= x ~ mean over probes of sum_i s_1i^2 [theta_i <= x], with a band\n"
          "(Chebyshev-Markov-Stieltjes and Monte-Carlo error), negative fraction and negative mass with\n"
          "bounds, and the density sum_i s_1i^2 N(x; theta_i, bandwidth^2). Outliers that the runs'\n"
          "certificates count are deflated: they add 1/n each. A spectrum in closed form is taken as it is.",
      .example = "density --out density.h5 probe0/lanczos.h5 probe1/lanczos.h5 probe2/lanczos.h5",
      .algorithm = 5,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](app::StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
