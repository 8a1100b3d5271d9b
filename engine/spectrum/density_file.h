#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "artifact/reader.h"
#include "krylov/density/density.h"

namespace ritzflow::spectrum {

/// Lanczos runs of one operator from different probe vectors, as a spectral density takes them.
struct DensityInput {
  std::vector<krylov::ProbeRun> probes;
  std::vector<int64_t> seeds;  ///< of the probe vectors, in the order of the files
  std::string reorth_mode;     ///< of all runs
  std::string operator_sha256;
  int64_t n = 0;
  double widening = 0;  ///< of the quadrature bounds, where the mode loses orthogonality
  std::string widening_reason;
};

/// Reads T of each lanczos.h5. Throws InputError where the files are not of one operator and mode, where two
/// began at the same probe vector, or where one was restarted: then T belongs to no probe vector.
DensityInput read_density_input(const std::vector<std::string>& files);

/// An operator of which every eigenvalue is known.
struct ExactDensityInput {
  std::vector<double> spectrum;  ///< [n] descending
  std::string operator_sha256;
};

/// Reads the spectrum of an operator.h5; nothing where it has none in closed form.
std::optional<ExactDensityInput> read_closed_form(const std::string& path);

/// Writes density.h5.
void write_density(const std::filesystem::path& out, const DensityInput& input,
                   const krylov::DensityOptions& options, const krylov::SpectralDensity& density,
                   const nlohmann::json& provenance);
void write_density(const std::filesystem::path& out, const ExactDensityInput& input,
                   const krylov::SpectralDensity& density, const nlohmann::json& provenance);

}  // namespace ritzflow::spectrum
