#include "curvature/kfac/kfac_file.h"

#include <nlohmann/json.hpp>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "curvature/kfac/kfac_layer_file.h"

namespace ritzflow {
namespace {

template <class T>
T attribute_or(const ArtifactReader& file, const std::string& name, T fallback) {
  return file.has_attribute(name) ? file.attribute<T>(name) : fallback;
}

KfacOrigin read_origin(const ArtifactReader& file) {
  KfacOrigin origin;
  origin.kfac_approx = attribute_or<std::string>(file, "kfac_approx", "");
  origin.fisher_type = attribute_or<std::string>(file, "fisher_type", "");
  origin.step = attribute_or<int64_t>(file, "step", -1);
  origin.data_sha256 = attribute_or<std::string>(file, "data_sha256", "");
  origin.model_sha256 = attribute_or<std::string>(file, "model_sha256", "");
  return origin;
}

void write_origin(ArtifactWriter& file, const KfacOrigin& origin) {
  file.attribute("kfac_approx", origin.kfac_approx);
  file.attribute("fisher_type", origin.fisher_type);
  if (!origin.token_terms.empty()) file.attribute("token_terms", origin.token_terms);
  if (origin.fisher_type == "mc" || origin.token_terms == "signs") {
    file.attribute("mc_samples", origin.mc_samples);
    file.attribute("seed", origin.seed);
  }
  file.attribute("dtype_compute", origin.dtype_compute);
  if (origin.device != "cpu") file.attribute("device", origin.device);
  file.attribute("loss", origin.loss);
  file.attribute("step", origin.step);
  file.attribute("batch_size_used", origin.batch_size_used);
  file.attribute("data_sha256", origin.data_sha256);
  file.attribute("model_sha256", origin.model_sha256);
}

}  // namespace

std::string write_kfac(const std::filesystem::path& out, const KroneckerFactors& factors,
                       const Coverage& coverage, const KfacOrigin& origin, const nlohmann::json& provenance) {
  ArtifactWriter file(out, "ritzflow-kfac");
  for (const auto& layer : factors.layers) write_layer(file, layer);
  file.attribute("covered_parameters", coverage.covered_parameters);
  file.attribute("total_parameters", coverage.total_parameters);
  file.attribute("covered_elements", coverage.covered_elements);
  file.attribute("total_elements", coverage.total_elements);
  file.attribute("missing", coverage.missing);
  write_origin(file, origin);
  file.provenance(provenance);
  return file.commit();
}

KfacFile read_kfac(const std::filesystem::path& path) {
  const ArtifactReader file(path, "ritzflow-kfac");
  KfacFile result;
  for (const auto& name : file.children("layers")) result.factors.layers.push_back(read_layer(file, name));
  result.origin = read_origin(file);
  result.sha256 = file.content_sha256();
  return result;
}

}  // namespace ritzflow
