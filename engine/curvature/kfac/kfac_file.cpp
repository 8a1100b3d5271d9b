#include "curvature/kfac/kfac_file.h"

#include <nlohmann/json.hpp>

#include "artifact/settings_attributes.h"
#include "curvature/kfac/kfac_layer_file.h"

namespace ritzflow::curvature {
namespace {

KfacOrigin read_origin(const artifact::ArtifactReader& file) {
  KfacOrigin origin;
  origin.step = file.attribute_or<int64_t>("step", -1);
  origin.data_sha256 = file.attribute_or<std::string>("data_sha256", "");
  origin.model_sha256 = file.attribute_or<std::string>("model_sha256", "");
  const RiskSettings risk = read_settings(file, RiskSettings{});
  origin.samples = risk.samples;
  origin.samples_seed = risk.samples_seed;
  return origin;
}

void write_collection(artifact::ArtifactWriter& file, const Collection& c) {
  artifact::write_settings(file, c.settings);
  artifact::write_settings(file, c.risk);
  if (c.token_terms) file.attribute("token_terms", word(*c.token_terms));
  if (c.settings.fisher_type == FisherType::mc || c.token_terms == TokenTerms::signs) {
    file.attribute("mc_samples", c.settings.mc_samples);
    file.attribute("seed", c.settings.seed);
  }
  file.attribute("loss", c.loss);
  file.attribute("step", int64_t{std::stoll(c.risk.step)});
  file.attribute("data_sha256", c.data_sha256);
  file.attribute("model_sha256", c.model_sha256);
}

}  // namespace

std::string write_kfac(const std::filesystem::path& out, const KroneckerFactors& factors,
                       const Coverage& coverage, const Collection& collection,
                       const nlohmann::json& provenance) {
  artifact::ArtifactWriter file(out, "ritzflow-kfac");
  for (const auto& layer : factors.layers) write_layer(file, layer);
  file.attribute("covered_parameters", coverage.covered_parameters);
  file.attribute("total_parameters", coverage.total_parameters);
  file.attribute("covered_elements", coverage.covered_elements);
  file.attribute("total_elements", coverage.total_elements);
  file.attribute("missing", coverage.missing);
  write_collection(file, collection);
  file.provenance(provenance);
  return file.commit();
}

KfacFile read_kfac(const std::filesystem::path& path) {
  const artifact::ArtifactReader file(path, "ritzflow-kfac");
  KfacFile result;
  for (const auto& name : file.children("layers")) result.factors.layers.push_back(read_layer(file, name));
  result.origin = read_origin(file);
  result.sha256 = file.content_sha256();
  return result;
}

}  // namespace ritzflow::curvature
