#include <spdlog/spdlog.h>

#include "core/error.h"
#include "stage/density_file.h"
#include "stage/stage.h"

namespace ritzflow {
namespace {

struct Options {
  std::vector<std::string> files;
  DensityOptions density;
};

void declare(CLI::App& app, Options& options) {
  DensityOptions& d = options.density;
  app.add_option("LANCZOS", options.files, "lanczos.h5 of each probe vector, all of one operator and mode")
      ->required();
  app.add_option("--grid-points", d.grid_points, "points of the grid")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  app.add_option(
         "--bandwidth", d.bandwidth,
         "standard deviation of the smoothing Gaussians, in units of eigenvalues; 0: a hundredth of the "
         "range")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--deviations", d.deviations, "of the Monte-Carlo error that every bound allows for")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--delta", d.delta, "probability that an end of the support is wrong")
      ->check(CLI::Range(1e-300, 0.5))
      ->capture_default_str();
}

void run(const Options& options, const StageRun& stage) {
  const DensityInput input = read_density_input(options.files);
  DensityOptions wanted = options.density;
  wanted.n = input.n;
  wanted.widening = input.widening;
  if (input.widening > 0)
    spdlog::warn("bounds are widened by {:g}: {}", input.widening, input.widening_reason);
  const SpectralDensity density = spectral_density(input.probes, wanted);
  write_density(stage.out, input, wanted, density, stage.provenance());
  spdlog::info(
      "{} probes: negative fraction {:.4g} in [{:.4g}, {:.4g}], negative mass {:.4g} in [{:.4g}, {:.4g}]",
      input.probes.size(), density.negative_fraction.value, density.negative_fraction.lower,
      density.negative_fraction.upper, density.negative_mass.value, density.negative_mass.lower,
      density.negative_mass.upper);
}

}  // namespace

Stage make_stage() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "density",
      .summary =
          "Spectral density of the whole operator by stochastic Lanczos quadrature over probe vectors:\n"
          "P(x) = share of eigenvalues <= x ~ mean over probes of sum_i s_1i^2 [theta_i <= x], with a band\n"
          "(Chebyshev-Markov-Stieltjes and Monte-Carlo error), negative fraction and negative mass with\n"
          "bounds, and the density sum_i s_1i^2 N(x; theta_i, bandwidth^2).",
      .example = "density --out density.h5 probe0/lanczos.h5 probe1/lanczos.h5 probe2/lanczos.h5",
      .algorithm = 1,
      .declare = [options](CLI::App& app) { declare(app, *options); },
      .run = [options](StageRun& stage) { run(*options, stage); }};
}

}  // namespace ritzflow
