#include "spectrum/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "artifact/settings_attributes.h"
#include "core/error.h"
#include "krylov/process/wanted.h"
#include "spectrum/lanczos_file.h"
#include "spectrum/reported_pairs.h"

namespace ritzflow::spectrum {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json largest(const std::vector<double>& values) {
  return values.empty() ? Json(nullptr) : number(*std::max_element(values.begin(), values.end()));
}

int64_t count(const std::vector<bool>& flags) { return std::count(flags.begin(), flags.end(), true); }

Which which_of(const artifact::ArtifactReader& ritz) {
  return ritz.has_attribute("which") ? artifact::word_attribute<Which>(ritz, "which") : Which::largest;
}

void add_extremes(Json& record, const ReportedPairs& w) {
  const bool any = !w.values.empty();
  record["max_eigenvalue"] = any ? number(w.values.front()) : Json(nullptr);
  record["min_eigenvalue"] = any ? number(w.values.back()) : Json(nullptr);
  record["spectral_gap"] = w.values.size() > 1 ? number(w.values[0] - w.values[1]) : Json(nullptr);
  record["spectral_range"] = any ? number(w.values.front() - w.values.back()) : Json(nullptr);
}

// Ratio of the largest to the smallest returned value that is positive beyond its interval.
Json condition_number(const ReportedPairs& w) {
  for (size_t i = w.values.size(); i-- > 0;) {
    if (w.positive[i]) return number(w.values.front() / w.values[i]);
  }
  return nullptr;
}

// exp of the entropy of the normalised positive values: 1 for a single direction, k for k equal ones.
Json effective_rank(const ReportedPairs& w) {
  double sum = 0, entropy = 0;
  for (double v : w.values) sum += std::max(v, 0.0);
  if (sum == 0) return nullptr;
  for (double v : w.values) {
    if (v > 0) entropy -= v / sum * std::log(v / sum);
  }
  return number(std::exp(entropy));
}

void add_semidefinite(Json& record, const ReportedPairs& w) {
  record["ritz_condition_number"] = condition_number(w);
  record["ritz_effective_rank"] = effective_rank(w);
}

void check_same_operator(const artifact::ArtifactReader& ritz, const artifact::ArtifactReader& density) {
  if (!density.has_attribute("operator_sha256")) return;
  if (density.attribute<std::string>("operator_sha256") == ritz.attribute<std::string>("operator_sha256"))
    return;
  throw InputError(density.path().string() + ": the density is of another operator than " +
                   ritz.path().string());
}

Json whole_spectrum(const artifact::ArtifactReader* density, const std::string& name) {
  if (density == nullptr || !density->has_attribute(name)) return nullptr;
  return number(density->attribute<double>(name));
}

void add_indefinite(Json& record, const ReportedPairs& w, const artifact::ArtifactReader* density) {
  const int64_t negative = count(w.negative);
  double negative_sum = 0, sum = 0, sharpness = 0;
  for (size_t i = 0; i < w.values.size(); ++i) {
    sum += std::abs(w.values[i]);
    sharpness = std::max(sharpness, std::abs(w.values[i]));
    if (w.negative[i]) negative_sum += std::abs(w.values[i]);
  }
  const bool any = !w.values.empty();
  record["has_negative_eigenvalues"] =
      negative > 0 ? Json(true) : Json(nullptr);  // absence is not proved here
  record["n_negative"] = negative;
  record["range_ratio"] =
      any && w.values.back() != 0 ? number(std::abs(w.values.front() / w.values.back())) : Json();
  record["sharpness_score"] = any ? number(sharpness) : Json(nullptr);
  record["most_negative_eigenvalue"] = any && w.negative.back() ? number(w.values.back()) : Json(nullptr);
  record["negative_fraction_topk"] =
      any ? number(static_cast<double>(negative) / static_cast<double>(w.values.size())) : Json();
  record["negative_mass_topk"] = sum > 0 ? number(negative_sum / sum) : Json(nullptr);
  for (const char* name : {"negative_fraction", "negative_fraction_lower", "negative_fraction_upper",
                           "negative_mass", "negative_mass_lower", "negative_mass_upper"}) {
    record[name] = whole_spectrum(density, name);
  }
}

// How far the true residuals are from the estimates, over pairs that are above the floor of rounding and
// noise.
Json worst_ratio(const ReportedPairs& w, double floor) {
  double worst = 0;
  for (size_t i = 0; i < w.values.size(); ++i) {
    if (w.residuals[i] <= floor || w.estimates[i] <= floor) continue;
    const double ratio = w.residuals[i] / w.estimates[i];
    if (worst == 0 || std::abs(std::log(ratio)) > std::abs(std::log(worst))) worst = ratio;
  }
  return worst > 0 ? number(worst) : Json(nullptr);
}

void add_evidence(Json& record, const ReportedPairs& w, const artifact::ArtifactReader& ritz,
                  const artifact::ArtifactReader* density) {
  const double norm_a = ritz.attribute<double>("norm_estimate");
  const double floor = (noise_floor(ritz) + 100 * std::numeric_limits<double>::epsilon()) * norm_a;
  std::vector<double> relative;
  for (size_t i = 0; i < w.values.size(); ++i) {
    if (w.values[i] != 0) relative.push_back(w.residuals[i] / std::abs(w.values[i]));
  }
  record["max_residual"] = largest(w.residuals);
  record["max_relative_residual"] = largest(relative);
  record["residual_ratio"] = worst_ratio(w, floor);
  record["noise_floor"] = number(floor);
  record["orthogonality_loss"] =
      ritz.has("orthogonality_loss") ? largest(ritz.read<double>("orthogonality_loss")) : Json(nullptr);
  record["density_reorth_mode"] = density != nullptr && density->has_attribute("reorth_mode")
                                      ? Json(density->attribute<std::string>("reorth_mode"))
                                      : Json(nullptr);
  record["density_sha256"] = density != nullptr ? Json(density->content_sha256()) : Json(nullptr);
  record["naive_eigenvalues"] = ritz.read<double>("naive_eigenvalues");
  record["naive_ghosts"] = ritz.attribute<int64_t>("naive_ghosts");
  record["verdicts"] = ritz.read<std::string>("verdicts");
  record["basis_bytes"] = ritz.attribute<int64_t>("basis_bytes");
  record["basis_source"] = ritz.attribute<std::string>("basis_source");
  record["operator_sha256"] = ritz.attribute<std::string>("operator_sha256");
  record["ritz_sha256"] = ritz.content_sha256();
}

}  // namespace

nlohmann::ordered_json metrics_record(const artifact::ArtifactReader& ritz,
                                      const artifact::ArtifactReader* density,
                                      const Regularization& regularization) {
  if (density != nullptr) check_same_operator(ritz, *density);
  const ReportedPairs measured = reported_pairs(ritz);
  const bool is_psd = ritz.attribute<bool>("is_psd");
  const double shift = regularization_of(measured, is_psd, regularization);
  ReportedPairs w = measured;
  w.shift(shift);
  const auto k = ritz.attribute<int64_t>("k");
  Json record;
  record["operator"] = ritz.attribute<std::string>("operator");
  record["is_psd"] = is_psd;
  record["n_params"] = ritz.attribute<int64_t>("n_params");
  record["seed"] = ritz.attribute<int64_t>("seed");
  record["reorth_mode"] = ritz.attribute<std::string>("reorth_mode");
  record["reorth_mode_requested"] = ritz.attribute<std::string>("reorth_mode_requested");
  record["k_requested"] = k;
  record["k_computed"] = static_cast<int64_t>(w.values.size());
  record["converged"] = krylov::wanted_converged(measured.values, measured.converged, which_of(ritz), k) >= k;
  record["n_converged"] = count(w.converged);
  record["eigenvalues"] = w.values;
  record["ritz_residuals"] = w.residuals;
  record["iterations"] = ritz.attribute<int64_t>("iterations");
  record["operator_calls"] = ritz.attribute<int64_t>("lanczos_operator_calls");
  record["residual_calls"] = ritz.attribute<int64_t>("operator_calls");
  const auto batch_size = ritz.attribute<int64_t>("batch_size_used");
  record["certificate_calls"] = ritz.has_attribute("certificate_calls")
                                    ? Json(ritz.attribute<int64_t>("certificate_calls"))
                                    : Json(nullptr);
  record["certified_largest"] = ritz.attribute<bool>("certified_largest");
  record["upper_bound"] =
      ritz.has_attribute("upper_bound") ? number(ritz.attribute<double>("upper_bound")) : Json(nullptr);
  record["batch_size_used"] = batch_size > 0 ? Json(batch_size) : Json(nullptr);  // a matrix has no batches
  record["regularization_mode"] = word(regularization.mode);
  record["regularization_applied"] = shift;
  record["ritz_min"] = number(ritz.attribute<double>("lambda_min"));
  record["ritz_max"] = number(ritz.attribute<double>("lambda_max"));
  add_extremes(record, w);
  if (is_psd) {
    add_semidefinite(record, w);
  } else {
    add_indefinite(record, w, density);
  }
  add_evidence(record, measured, ritz, density);
  record["asymmetry"] =
      ritz.has_attribute("asymmetry") ? number(ritz.attribute<double>("asymmetry")) : Json(nullptr);
  record["warnings"] = ritz.has_attribute("warnings")
                           ? Json(ritz.attribute<std::vector<std::string>>("warnings"))
                           : Json(nullptr);
  return record;
}

}  // namespace ritzflow::spectrum
