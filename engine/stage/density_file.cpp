#include "stage/density_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "artifact/writer.h"
#include "core/error.h"

namespace ritzflow {
namespace {

// Without orthogonality copies of converged values move weight about, and the bounds of Chebyshev, Markov and
// Stieltjes were seen to fail by up to 3e-3: three times that.
constexpr double kWidening = 0.01;

bool loses_orthogonality(const std::string& mode) { return mode == "off" || mode == "selective"; }

ProbeRun read_probe(const ArtifactReader& file) {
  if (file.has("spike")) {
    throw InputError(file.path().string() +
                     ": the run was restarted, its T is no quadrature of a probe vector; use a run of mode "
                     "full, partial or off, or one whose krylov_dim is at least its max_iters");
  }
  return {file.read<double>("alpha"), file.read<double>("beta")};
}

void require_same(const ArtifactReader& file, const std::string& name, const std::string& found,
                  const std::string& expected, const std::string& first) {
  if (found == expected) return;
  throw InputError(fmt::format("{}: {} is {}, but {} has {}; a density is of one operator and one mode",
                               file.path().string(), name, found, first, expected));
}

}  // namespace

DensityInput read_density_input(const std::vector<std::string>& files) {
  DensityInput input;
  for (const auto& path : files) {
    const ArtifactReader file(path, "ritzflow-lanczos");
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
  if (loses_orthogonality(input.reorth_mode)) {
    input.widening = kWidening;
    input.widening_reason = "mode " + input.reorth_mode +
                            " loses orthogonality, quadrature bounds then hold only to a measured error";
  }
  return input;
}

void write_density(const std::filesystem::path& out, const DensityInput& input, const DensityOptions& options,
                   const SpectralDensity& density, const nlohmann::json& provenance) {
  ArtifactWriter file(out, "ritzflow-density");
  file.attribute("operator_sha256", input.operator_sha256);
  file.attribute("n_params", input.n);
  file.attribute("reorth_mode", input.reorth_mode);
  file.attribute("probes", input.seeds);
  file.attribute("bandwidth", density.bandwidth);
  file.attribute("deviations", options.deviations);
  file.attribute("delta", options.delta);
  file.attribute("support", std::vector<double>{density.support_lower, density.support_upper});
  file.attribute("widening", input.widening);
  file.attribute("widening_reason", input.widening_reason);
  const auto bounded = [&](const std::string& name, const BoundedValue& v) {
    file.attribute(name, v.value);
    file.attribute(name + "_lower", v.lower);
    file.attribute(name + "_upper", v.upper);
  };
  bounded("negative_fraction", density.negative_fraction);
  bounded("negative_mass", density.negative_mass);
  file.dataset("grid", density.grid);
  file.dataset("density", density.density);
  file.dataset("cdf", density.cdf);
  file.dataset("cdf_lower", density.cdf_lower);
  file.dataset("cdf_upper", density.cdf_upper);
  file.provenance(provenance);
  file.commit();
}

}  // namespace ritzflow
