#include "spectrum/density_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "artifact/settings_attributes.h"
#include "core/error.h"
#include "spectrum/lanczos_file.h"

namespace ritzflow::spectrum {
namespace {

// Without orthogonality copies of converged values move weight about, and the bounds of Chebyshev, Markov and
// Stieltjes were seen to fail by up to 3e-3: three times that.
constexpr double kWidening = 0.01;

// Ritz values of two runs differ by some rounding errors of T and of its eigenvalues, relative to ||A||.
constexpr double kRounding = 100 * std::numeric_limits<double>::epsilon();

krylov::CertifiedEnds read_certified_ends(const artifact::ArtifactReader& file) {
  krylov::CertifiedEnds ends;
  if (file.has_attribute("upper_bound")) ends.upper_bound = file.attribute<double>("upper_bound");
  if (file.has_attribute("lower_bound")) ends.lower_bound = file.attribute<double>("lower_bound");
  if (!file.has("locked/eigenvalues")) return ends;
  const auto values = file.read<double>("locked/eigenvalues"),
             residuals = file.read<double>("locked/residuals");
  for (size_t i = 0; i < values.size(); ++i) ends.found.push_back({values[i], residuals[i]});
  return ends;
}

krylov::ProbeRun read_probe(const artifact::ArtifactReader& file) {
  if (file.has_attribute("start_sha256")) {
    throw InputError(
        file.path().string() +
        ": the run began with Ritz vectors of an earlier result (--start), its T is not a quadrature "
        "of a random vector; run lanczos without --start");
  }
  if (file.has("spike")) {
    throw InputError(
        file.path().string() +
        ": the run was restarted, its T is not a quadrature of a probe vector; use a run of mode "
        "full, partial or off, or one whose krylov_dim is at least its max_iters");
  }
  const double of_products =
      file.has_attribute("product_error") ? file.attribute<double>("product_error") : 0;
  const double error = std::max(noise_floor(file), of_products) + kRounding;
  return {.alpha = file.read<double>("alpha"),
          .beta = file.read<double>("beta"),
          .certified = read_certified_ends(file),
          .slack = error * file.attribute<double>("norm_estimate")};
}

void require_same(const artifact::ArtifactReader& file, const std::string& name, const std::string& found,
                  const std::string& expected, const std::string& first) {
  if (found == expected) return;
  throw InputError(fmt::format("{}: {} is {}, but {} has {}; a density is of one operator and one mode",
                               file.path().string(), name, found, first, expected));
}

}  // namespace

DensityInput read_density_input(const std::vector<std::string>& files) {
  DensityInput input;
  for (const auto& path : files) {
    const artifact::ArtifactReader file(path, "ritzflow-lanczos");
    const auto mode = file.attribute<std::string>("reorth_mode"),
               sha256 = file.attribute<std::string>("operator_sha256");
    const auto seed = file.attribute<int64_t>("seed");
    if (input.probes.empty()) {
      input.reorth_mode = mode;
      input.operator_sha256 = sha256;
      input.n = file.shape("start_vector").at(0);
    }
    require_same(file, "operator_sha256", sha256, input.operator_sha256, files.front());
    require_same(file, "reorth_mode", mode, input.reorth_mode, files.front());
    if (std::find(input.seeds.begin(), input.seeds.end(), seed) != input.seeds.end()) {
      throw InputError(fmt::format(
          "{}: a second run from the probe vector of seed {}; probes must be independent", path, seed));
    }
    input.probes.push_back(read_probe(file));
    input.seeds.push_back(seed);
  }
  const krylov::ModeTraits* mode =
      krylov::find_traits(parse_word<ReorthMode>(files.front() + ": reorth_mode", input.reorth_mode));
  if (mode != nullptr && mode->keeps == krylov::Orthogonality::none) {
    input.widening = kWidening;
    input.widening_reason = "mode " + input.reorth_mode +
                            " loses orthogonality, quadrature bounds then hold only to a measured error";
  }
  return input;
}

std::optional<ExactDensityInput> read_closed_form(const std::string& path) {
  const artifact::ArtifactReader file(path, "ritzflow-operator");
  if (!file.has("spectrum")) return std::nullopt;
  return ExactDensityInput{file.read<double>("spectrum"), file.content_sha256()};
}

namespace {

void write_common(artifact::ArtifactWriter& file, const krylov::SpectralDensity& density) {
  file.attribute("bandwidth", density.bandwidth);
  file.attribute("support", std::vector<double>{density.support_lower, density.support_upper});
  const auto bounded = [&](const std::string& name, const krylov::BoundedValue& v) {
    file.attribute(name, v.value);
    file.attribute(name + "_lower", v.lower);
    file.attribute(name + "_upper", v.upper);
  };
  bounded("negative_fraction", density.negative_fraction);
  bounded("negative_mass", density.negative_mass);
  file.dataset("grid", density.grid);
  file.dataset("density", density.density);
  file.dataset("density_lower", density.density_lower);
  file.dataset("density_upper", density.density_upper);
  file.dataset("cdf", density.cdf);
  file.dataset("cdf_lower", density.cdf_lower);
  file.dataset("cdf_upper", density.cdf_upper);
}

}  // namespace

void write_density(const std::filesystem::path& out, const DensityInput& input,
                   const krylov::DensityOptions& options, const krylov::SpectralDensity& density,
                   const nlohmann::json& provenance) {
  artifact::ArtifactWriter file(out, "ritzflow-density");
  file.attribute("method", "quadrature");
  file.attribute("operator_sha256", input.operator_sha256);
  file.attribute("n_params", input.n);
  file.attribute("reorth_mode", input.reorth_mode);
  file.attribute("probes", input.seeds);
  artifact::write_settings(file, DensitySettings{.deviations = options.deviations, .delta = options.delta});
  file.attribute("widening", input.widening);
  file.attribute("widening_reason", input.widening_reason);
  if (!density.outliers.empty()) file.dataset("outliers", density.outliers);
  write_common(file, density);
  file.provenance(provenance);
  file.commit();
}

void write_density(const std::filesystem::path& out, const ExactDensityInput& input,
                   const krylov::SpectralDensity& density, const nlohmann::json& provenance) {
  artifact::ArtifactWriter file(out, "ritzflow-density");
  file.attribute("method", "closed_form");
  file.attribute("operator_sha256", input.operator_sha256);
  file.attribute("n_params", static_cast<int64_t>(input.spectrum.size()));
  write_common(file, density);
  file.provenance(provenance);
  file.commit();
}

}  // namespace ritzflow::spectrum
