#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "curvature/kfac/kfac_coverage.h"
#include "curvature/kfac/kfac_factors.h"
#include "settings/stage_settings.h"

namespace ritzflow::curvature {

/// What the factors were collected for; empty where the file does not say.
struct KfacOrigin {
  int64_t step = -1;  ///< of the model; -1: unknown
  std::string data_sha256, model_sha256;
  int64_t samples = 0, samples_seed = 0;  ///< drawn from the data; 0: all
};

/// How they were collected.
struct Collection {
  CollectionSettings settings = {};
  RiskSettings risk = {};                      ///< with step and batch_size as numbers
  std::optional<TokenTerms> token_terms = {};  ///< where a sample has several
  std::string loss = {};
  std::string data_sha256 = {}, model_sha256 = {};
};

struct KfacFile {
  KroneckerFactors factors;
  KfacOrigin origin;
  std::string sha256;  ///< content digest of the file
};

/// Writes kfac.h5 (docs/formats.md) and returns its content digest.
std::string write_kfac(const std::filesystem::path& out, const KroneckerFactors& factors,
                       const Coverage& coverage, const Collection& collection,
                       const nlohmann::json& provenance);

/// Reads a kfac.h5, ours or a user's (read_layer()). Throws InputError that names the file.
KfacFile read_kfac(const std::filesystem::path& path);

}  // namespace ritzflow::curvature
