#include "spectrum/density_file.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "engine/krylov/problems.h"
#include "spectrum/lanczos_file.h"
#include "stage_testing.h"

namespace ritzflow::spectrum {
namespace {

class DensityFile : public StageTest {
 protected:
  /// lanczos.h5 of 40 products with the indefinite problem, from the probe vector of `seed`.
  std::string run(int64_t seed, const krylov::Reorthogonalization& mode,
                  const std::string& operator_sha256 = "a") {
    const auto op = krylov::indefinite().make();
    LanczosRecord record;
    record.settings.seed = seed;
    record.settings.reorth_mode = record.reorth_mode = krylov::traits_of(mode).mode;
    record.n = op->dim();
    const auto start = spectrum::random_start(op->dim(), seed);
    record.operator_sha256 = operator_sha256;
    record.factorization = krylov::run_steps(*op, mode, static_cast<uint64_t>(seed), 40).factorization();
    const auto path = folder_ / (std::to_string(seed) + word(record.reorth_mode) + operator_sha256 + ".h5");
    write_lanczos(path, record, start, nullptr, {});
    return path.string();
  }
};

TEST_F(DensityFile, BandContainsTheTruthInEveryModeWithoutRestarts) {
  const krylov::Spectrum spectrum = krylov::indefinite().spectrum;
  for (const krylov::Reorthogonalization& mode :
       {krylov::Reorthogonalization(krylov::Full{}), krylov::Reorthogonalization(krylov::Partial{}),
        krylov::Reorthogonalization(krylov::Off{}), krylov::Reorthogonalization(krylov::Window{})}) {
    const DensityInput input = read_density_input({run(0, mode), run(1, mode), run(2, mode)});
    EXPECT_EQ(input.widening > 0, !krylov::keeps_orthogonality(mode));
    const krylov::DensityOptions options = {.n = input.n, .widening = input.widening};
    write_density(folder_ / "density.h5", input, options, krylov::spectral_density(input.probes, options),
                  {});
    const artifact::ArtifactReader file(folder_ / "density.h5", "ritzflow-density");
    EXPECT_EQ(file.attribute<std::vector<int64_t>>("probes"), (std::vector<int64_t>{0, 1, 2}));
    const auto grid = file.read<double>("grid"), lower = file.read<double>("cdf_lower"),
               upper = file.read<double>("cdf_upper");
    for (size_t g = 0; g < grid.size(); ++g) {
      const auto below =
          std::count_if(spectrum.begin(), spectrum.end(), [&](double l) { return l <= grid[g]; });
      const double share = static_cast<double>(below) / static_cast<double>(spectrum.size());
      EXPECT_LE(lower[g], share + 1e-12) << krylov::mode_name(mode) << " at " << grid[g];
      EXPECT_GE(upper[g], share - 1e-12) << krylov::mode_name(mode) << " at " << grid[g];
    }
  }
}

TEST_F(DensityFile, RunsThatDoNotBelongTogetherAreRefused) {
  const std::string first = run(0, krylov::Full{});
  EXPECT_THROW(read_density_input({first, run(1, krylov::Full{}, "b")}), InputError);
  EXPECT_THROW(read_density_input({first, run(1, krylov::Off{})}), InputError);
  EXPECT_THROW(read_density_input({first, first}), InputError);
  EXPECT_THROW(read_density_input({run(2, krylov::ThickRestart{.krylov_dim = 20})}), InputError);
}

}  // namespace
}  // namespace ritzflow::spectrum
