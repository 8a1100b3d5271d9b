#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "curvature/kfac/kfac_coverage.h"
#include "curvature/kfac/kfac_factors.h"

namespace ritzflow {

/// What kfac.h5 says of where its factors come from; empty where the file does not say.
struct KfacOrigin {
  std::string kfac_approx, fisher_type, token_terms, dtype_compute;
  std::string device = "cpu";
  std::string loss;
  int64_t mc_samples = 1;
  int64_t seed = 0;
  int64_t step = -1;  ///< of the model; -1: unknown
  int64_t batch_size_used = 0;
  std::string data_sha256, model_sha256;
};

struct KfacFile {
  KroneckerFactors factors;
  KfacOrigin origin;
  std::string sha256;  ///< content digest of the file
};

/// Writes kfac.h5 (docs/formats.md) and returns its content digest.
std::string write_kfac(const std::filesystem::path& out, const KroneckerFactors& factors,
                       const Coverage& coverage, const KfacOrigin& origin, const nlohmann::json& provenance);

/// Reads a kfac.h5, ours or a user's (read_layer()). Throws InputError that names the file.
KfacFile read_kfac(const std::filesystem::path& path);

}  // namespace ritzflow
