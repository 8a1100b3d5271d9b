#include "spectrum/lanczos_file.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "artifact/settings_attributes.h"
#include "krylov/process/tolerance.h"
#include "spectrum/basis_plan.h"

namespace ritzflow::spectrum {
namespace {

// H in C order: row i, column j.
std::vector<double> row_major(const Eigen::MatrixXd& h) {
  std::vector<double> values(static_cast<size_t>(h.size()));
  Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(values.data(), h.rows(),
                                                                                     h.cols()) = h;
  return values;
}

void write_certificate(artifact::ArtifactWriter& file, const LanczosRecord& record) {
  file.attribute("certificate_calls", record.certificate ? record.certificate->calls : 0);
  if (!record.certificate) return;
  const krylov::Certificate& c = *record.certificate;
  file.attribute("certificate_delta", record.certificate_delta);
  file.attribute("certificate_budget", record.certificate_budget);
  file.attribute("certified_largest", c.certified_largest);
  file.attribute("certified_smallest", c.certified_smallest);
  if (std::isfinite(c.upper_bound)) file.attribute("upper_bound", c.upper_bound);
  if (std::isfinite(c.lower_bound)) file.attribute("lower_bound", c.lower_bound);
  file.dataset("certificate/alpha", c.alpha);
  file.dataset("certificate/beta", c.beta);
  if (c.found.empty()) return;
  std::vector<double> values, residuals;
  auto rows = file.rows<double>("locked/vectors", static_cast<int64_t>(c.found.size()), record.n);
  for (const auto& pair : c.found) {
    values.push_back(pair.value);
    residuals.push_back(pair.residual);
    rows.append(pair.vector);
  }
  file.dataset("locked/eigenvalues", values);
  file.dataset("locked/residuals", residuals);
}

// Pairs that the certificate found and measured: of unit length, outside the Krylov basis.
std::vector<krylov::RitzPair> read_locked(const artifact::ArtifactReader& file) {
  std::vector<krylov::RitzPair> pairs;
  if (!file.has("locked/eigenvalues")) return pairs;
  const auto values = file.read<double>("locked/eigenvalues"),
             residuals = file.read<double>("locked/residuals");
  for (size_t i = 0; i < values.size(); ++i) {
    krylov::RitzPair pair;
    pair.value = values[i];
    pair.residual = pair.estimate = residuals[i];
    pair.basis_norm = 1;
    pair.gamma = std::nan("");
    pair.vector.resize(static_cast<size_t>(file.shape("locked/vectors")[1]));
    file.read_rows<double>("locked/vectors", static_cast<int64_t>(i), 1, pair.vector);
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

krylov::KrylovFactorization read_factorization(const artifact::ArtifactReader& file) {
  krylov::KrylovFactorization f = {
      .columns = {},
      .beta = file.read<double>("beta"),
      .residual_vector = {},
      .spike = file.has("spike") ? file.read<double>("spike") : std::vector<double>(),
      .norm_estimate = file.attribute<double>("norm_estimate"),
      .products = file.attribute<int64_t>("iterations"),
      .exhausted = file.attribute<bool>("exhausted")};
  const std::vector<double> h = file.read<double>("H");
  const size_t m = f.beta.size();
  for (size_t j = 0; j < m; ++j) {
    f.columns.emplace_back();
    for (size_t i = 0; i <= j; ++i) f.columns.back().push_back(h[i * m + j]);
  }
  return f;
}

std::optional<krylov::Certificate> read_certificate(const artifact::ArtifactReader& file) {
  if (!file.has_attribute("certificate_delta")) return std::nullopt;
  krylov::Certificate c;
  c.calls = file.attribute<int64_t>("certificate_calls");
  c.certified_largest = file.attribute<bool>("certified_largest");
  c.certified_smallest = file.attribute<bool>("certified_smallest");
  if (file.has_attribute("upper_bound")) c.upper_bound = file.attribute<double>("upper_bound");
  if (file.has_attribute("lower_bound")) c.lower_bound = file.attribute<double>("lower_bound");
  c.alpha = file.read<double>("certificate/alpha");
  c.beta = file.read<double>("certificate/beta");
  c.found = read_locked(file);
  return c;
}

}  // namespace

krylov::Reorthogonalization LanczosRecord::mode() const {
  LanczosSettings ran = settings;
  ran.reorth_mode = reorth_mode;
  return mode_of(ran, n, noise);
}

void write_start(artifact::ArtifactWriter& file, const WarmStart& start) {
  if (start.sha256.empty()) return;
  file.attribute("start_sha256", start.sha256);
  file.attribute("start_vectors", start.vectors);
  file.attribute("start_random", warm_start_random);
}

void write_lanczos(const std::filesystem::path& out, const LanczosRecord& record, VectorView start,
                   const krylov::Basis* basis, const nlohmann::json& provenance) {
  const krylov::KrylovFactorization& f = record.factorization;
  artifact::ArtifactWriter file(out, "ritzflow-lanczos");
  artifact::write_settings(file, record.settings);
  file.attribute("reorth_mode", word(record.reorth_mode));
  file.attribute("reorth_reason", record.reorth_reason);
  file.attribute("n_params", record.n);
  file.attribute("iterations", f.products);
  file.attribute("operator_calls", record.operator_calls());
  write_certificate(file, record);
  file.attribute("converged", record.converged);
  file.attribute("basis_bytes", record.basis_bytes);
  file.attribute("norm_estimate", f.norm_estimate);
  file.attribute("noise", record.noise);
  file.attribute("product_error", krylov::product_error(record.noise, record.epsilon));
  file.attribute("operator_sha256", record.operator_sha256);
  file.attribute("exhausted", f.exhausted);
  write_start(file, record.start);
  file.dataset("alpha", f.alphas());
  file.dataset("beta", f.beta);
  file.dataset("H", row_major(f.H()), {f.size(), f.size()});
  if (!f.spike.empty()) file.dataset("spike", f.spike);
  file.dataset("start_vector", start, {record.n});
  if (basis != nullptr) {
    write_rows(file, "basis", *basis, record.settings.dtype_basis, 0, false);
    file.dataset("residual_vector", f.residual_vector);
  }
  file.provenance(provenance);
  file.commit();
}

double noise_floor(const artifact::ArtifactReader& file) {
  const bool says = file.has_attribute("dtype_basis");
  return noise_floor(says ? artifact::word_attribute<BasisType>(file, "dtype_basis") : BasisType::float64,
                     file.attribute<double>("noise"));
}

LanczosRecord read_lanczos(const artifact::ArtifactReader& file) {
  LanczosRecord record;
  record.settings = artifact::read_settings<LanczosSettings>(file);
  record.reorth_mode = artifact::word_attribute<ReorthMode>(file, "reorth_mode");
  record.reorth_reason = file.attribute<std::string>("reorth_reason");
  record.converged = file.attribute<int64_t>("converged");
  record.basis_bytes = file.attribute<int64_t>("basis_bytes");
  record.noise = file.attribute<double>("noise");
  record.operator_sha256 = file.attribute<std::string>("operator_sha256");
  record.certificate = read_certificate(file);
  if (record.certificate) record.certificate_delta = file.attribute<double>("certificate_delta");
  record.n = file.shape("start_vector").at(0);
  if (file.has_attribute("start_sha256")) {
    record.start.sha256 = file.attribute<std::string>("start_sha256");
    record.start.vectors = file.attribute<int64_t>("start_vectors");
  }
  record.factorization = read_factorization(file);
  return record;
}

}  // namespace ritzflow::spectrum
