#include "spectrum/ritz_file.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "artifact/settings_attributes.h"
#include "krylov/process/tolerance.h"
#include "krylov/ritz/intervals.h"
#include "spectrum/warnings.h"

namespace ritzflow::spectrum {
namespace {

template <class Get>
std::vector<double> column(const krylov::RitzEvidence& evidence, Get get) {
  std::vector<double> values;
  for (const auto& pair : evidence.pairs) values.push_back(get(pair));
  return values;
}

void write_run(artifact::ArtifactWriter& file, const RitzContext& context) {
  artifact::write_settings(file, context.record.settings);
  file.attribute("reorth_mode", word(context.record.reorth_mode));
  file.attribute("reorth_reason", context.record.reorth_reason);
  file.attribute("basis_bytes", context.record.basis_bytes);
  write_start(file, context.record.start);
  file.attribute("iterations", context.record.factorization.products);
  file.attribute("lanczos_operator_calls", context.record.operator_calls());
  file.attribute("certificate_calls", context.record.certificate ? context.record.certificate->calls : 0);
  file.attribute("norm_estimate", context.options.norm_a);
  file.attribute("noise", context.options.noise);
  file.attribute("product_error", krylov::product_error(context.options.noise, context.options.epsilon));
  for (const auto& [name, value] : context.operator_facts) file.attribute(name, value);
}

// Completeness: what the deflated run of the stage lanczos says of all eigenvalues that are not listed here.
void write_certificate(artifact::ArtifactWriter& file, const LanczosRecord& record) {
  const krylov::Certificate known = record.certificate.value_or(krylov::Certificate{});
  file.attribute("certified_largest", known.certified_largest);
  file.attribute("certified_smallest", known.certified_smallest);
  if (!record.certificate) return;
  file.attribute("certificate_delta", record.certificate_delta);
  if (std::isfinite(known.upper_bound)) file.attribute("upper_bound", known.upper_bound);
  if (std::isfinite(known.lower_bound)) file.attribute("lower_bound", known.lower_bound);
}

void write_pairs(artifact::ArtifactWriter& file, const krylov::RitzEvidence& evidence, double norm_a) {
  const auto r = static_cast<int64_t>(evidence.pairs.size());
  file.dataset("eigenvalues", column(evidence, [](const krylov::RitzPair& p) { return p.value; }));
  file.dataset("residuals", column(evidence, [](const krylov::RitzPair& p) { return p.residual; }));
  file.dataset("relative_residuals", column(evidence, [&](const krylov::RitzPair& p) {
                 return p.residual > 0 ? p.residual / krylov::residual_goal(1, p.value, norm_a) : 0;
               }));
  file.dataset("gaps", column(evidence, [](const krylov::RitzPair& p) { return p.gap; }));
  file.dataset("clusters", krylov::clusters(evidence.pairs));
  file.dataset("residual_estimates", column(evidence, [](const krylov::RitzPair& p) { return p.estimate; }));
  file.dataset("basis_norms", column(evidence, [](const krylov::RitzPair& p) { return p.basis_norm; }));
  file.dataset("gammas", column(evidence, [](const krylov::RitzPair& p) { return p.gamma; }));
  std::vector<double> intervals;
  std::vector<std::string> verdicts;
  for (const auto& pair : evidence.pairs) {
    intervals.insert(intervals.end(), pair.interval.begin(), pair.interval.end());
    verdicts.push_back(krylov::verdict_name(pair.verdict));
  }
  file.dataset("intervals", intervals, {r, 2});
  file.strings("verdicts", verdicts);
}

// As they were measured, whatever the type of the basis: rounding them to it would change their residuals.
void write_vectors(artifact::ArtifactWriter& file, const krylov::RitzEvidence& evidence,
                   const RitzContext& context) {
  auto rows = file.rows<double>("vectors", static_cast<int64_t>(evidence.pairs.size()), context.record.n);
  for (const auto& pair : evidence.pairs) {
    const krylov::PairVector x(pair, context.options.shelf);
    rows.append(x.view());
  }
}

}  // namespace

void write_ritz(const std::filesystem::path& out, const RitzContext& context,
                const krylov::RitzEvidence& evidence, const nlohmann::json& provenance) {
  artifact::ArtifactWriter file(out, "ritzflow-ritz");
  write_run(file, context);
  file.attribute("lanczos_sha256", context.lanczos_sha256);
  file.attribute("basis_source", context.basis_source);
  file.attribute("replay_calls", context.replay_calls);
  file.attribute("operator_calls", context.replay_calls + evidence.operator_calls);
  file.attribute("lambda_min", evidence.ritz_min);
  file.attribute("lambda_max", evidence.ritz_max);
  write_certificate(file, context.record);
  file.attribute("naive_ghosts", evidence.naive_ghosts);
  file.attribute("asymmetry", context.asymmetry);
  file.attribute("warnings", method_warnings(context, evidence));
  write_pairs(file, evidence, context.options.norm_a);
  write_vectors(file, evidence, context);
  file.dataset("naive_eigenvalues", evidence.naive_eigenvalues);
  if (!evidence.orthogonality_loss.empty()) file.dataset("orthogonality_loss", evidence.orthogonality_loss);
  file.provenance(provenance);
  file.commit();
}

}  // namespace ritzflow::spectrum
