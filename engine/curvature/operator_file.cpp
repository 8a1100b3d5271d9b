#include "curvature/operator_file.h"

#include <fmt/format.h>

#include <cfloat>
#include <nlohmann/json.hpp>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "core/error.h"
#include "curvature/kfac/kfac_spectrum.h"

namespace ritzflow {
namespace {

namespace fs = std::filesystem;

constexpr size_t embedded_bytes = size_t{64} << 20;  // larger matrices stay in their own file

bool embeds_matrix(const BuiltOperator& built) {
  return built.matrix && built.matrix->values.size() * sizeof(double) <= embedded_bytes;
}

std::string from_folder_of(const fs::path& out, const fs::path& file) {
  return fs::relative(fs::absolute(file), fs::absolute(out).parent_path()).string();
}

void write_settings(ArtifactWriter& file, const BuiltOperator& built) {
  const OperatorSettings& settings = built.settings;
  file.attribute("operator", settings.kind);
  file.attribute("n_params", built.op->dim());
  file.attribute("is_psd", built.is_psd);
  file.attribute("dtype_compute", settings.dtype_compute);
  file.attribute("seed", settings.seed);
  if (built.matrix) {
    file.attribute("matrix_sha256", built.digests.matrix);
    return;
  }
  file.attribute("data_sha256", built.digests.data);
  file.attribute("model_sha256", built.digests.model);
  file.attribute("step", int64_t{std::stoll(settings.step)});
  file.attribute("loss", built.loss);
  file.attribute("batch_size_used", settings.batch_size);
  file.attribute("samples", built.samples);
  file.attribute("rows", built.rows);
  file.attribute("compute_threads", int64_t{settings.compute_threads});
  if (settings.device != "cpu") file.attribute("device", settings.device);
  if (!settings.linearizations.empty()) {
    file.attribute("memory", settings.memory);
    file.attribute("memory_needed", settings.memory_needed);
    file.attribute("linearizations", settings.linearizations);
    file.attribute("in_flight", settings.in_flight);
  }
  if (settings.kind == "hessian") file.attribute("hessian_mode", settings.hessian_mode);
  if (settings.kind == "empirical_fisher") file.attribute("fisher_clip", settings.fisher_clip);
  if (settings.kind == "ggn") file.attribute("ggn_mode", settings.ggn_mode);
  if (settings.kind == "mc_fisher") file.attribute("mc_samples", settings.mc_samples);
  if (!built.digests.kfac.empty()) {
    file.attribute("kfac_sha256", built.digests.kfac);
    file.attribute("uncovered", settings.uncovered);
    file.attribute("damping", settings.damping);
    file.attribute("power", settings.power);
    file.attribute("coverage", static_cast<double>(built.coverage.covered_elements) /
                                   static_cast<double>(built.coverage.total_elements));
  }
  if (!built.fisher_unit.empty()) file.attribute("fisher_unit", built.fisher_unit);
  if (!settings.params_filter.empty()) file.attribute("params_filter", settings.params_filter);
}

void write_probes(ArtifactWriter& file, const Probes& probes) {
  const auto scalar = [&](const char* name, double value) {
    file.dataset(name, std::vector<double>{value}, {});
  };
  scalar("probes/repeatability", probes.repeatability);
  scalar("probes/additivity", probes.additivity);
  scalar("probes/symmetry", probes.symmetry);
  scalar("probes/norm", probes.norm);
}

nlohmann::json with_paths(nlohmann::json facts, const BuiltOperator& built, const fs::path& out) {
  const OperatorSettings& settings = built.settings;
  if (built.matrix) {
    facts["matrix_path"] = from_folder_of(out, settings.matrix.file);
    facts["matrix_dataset"] = settings.matrix.dataset;
  } else {
    facts["data_path"] = from_folder_of(out, settings.data);
    facts["model_path"] = from_folder_of(out, settings.model);
    if (!settings.kfac.empty()) facts["kfac_path"] = from_folder_of(out, settings.kfac);
  }
  return facts;
}

template <class T>
T attribute_or(const ArtifactReader& file, const std::string& name, T fallback) {
  return file.has_attribute(name) ? file.attribute<T>(name) : fallback;
}

fs::path referred(const ArtifactReader& file, const std::string& name) {
  return (file.path().parent_path() / file.attribute<std::string>("/provenance", name)).lexically_normal();
}

/// The settings that build the same operator again.
OperatorSettings read_settings(const ArtifactReader& file) {
  OperatorSettings settings;
  settings.kind = file.attribute<std::string>("operator");
  settings.seed = file.attribute<int64_t>("seed");
  settings.dtype_compute = file.attribute<std::string>("dtype_compute");
  if (settings.kind == "matrix") {
    settings.matrix = file.has("matrix")
                          ? MatrixPlace{file.path(), "/matrix"}
                          : MatrixPlace{referred(file, "matrix_path"),
                                        file.attribute<std::string>("/provenance", "matrix_dataset")};
    return settings;
  }
  settings.data = referred(file, "data_path");
  settings.model = referred(file, "model_path");
  settings.step = std::to_string(file.attribute<int64_t>("step"));
  settings.batch_size = file.attribute<int64_t>("batch_size_used");
  settings.ggn_mode = attribute_or<std::string>(file, "ggn_mode", "true");
  if (file.has_attribute("kfac_sha256")) {
    settings.kfac = referred(file, "kfac_path");
    settings.uncovered = file.attribute<std::string>("uncovered");
    settings.damping = file.attribute<double>("damping");
    settings.power = file.attribute<double>("power");
  }
  settings.mc_samples = attribute_or<int64_t>(file, "mc_samples", 1);
  settings.hessian_mode = attribute_or(file, "hessian_mode", settings.hessian_mode);
  settings.fisher_unit = attribute_or(file, "fisher_unit", settings.fisher_unit);
  settings.fisher_clip = attribute_or(file, "fisher_clip", settings.fisher_clip);
  settings.memory = attribute_or(file, "memory", settings.memory);
  settings.memory_needed = attribute_or(file, "memory_needed", settings.memory_needed);
  settings.linearizations = attribute_or(file, "linearizations", settings.linearizations);
  settings.in_flight = attribute_or(file, "in_flight", settings.in_flight);
  settings.compute_threads = static_cast<int>(attribute_or<int64_t>(file, "compute_threads", 1));
  settings.device = attribute_or(file, "device", settings.device);
  settings.params_filter = attribute_or<std::vector<std::string>>(file, "params_filter", {});
  return settings;
}

OperatorInfo info_of(const BuiltOperator& built, const Probes& probes, const std::string& sha256) {
  const OperatorSettings& settings = built.settings;
  return {.kind = settings.kind,
          .n_params = built.op->dim(),
          .is_psd = built.is_psd,
          .batch_size_used = settings.batch_size,
          .dtype_compute = settings.dtype_compute,
          .step = built.matrix ? 0 : std::stoll(settings.step),
          .seed = settings.seed,
          .probes = probes,
          .sha256 = sha256};
}

}  // namespace

double machine_epsilon(const std::string& dtype_compute) {
  if (dtype_compute == "bfloat16") return 0x1p-7;
  return dtype_compute == "float64" ? DBL_EPSILON : FLT_EPSILON;
}

double OperatorInfo::epsilon() const { return machine_epsilon(dtype_compute); }

OperatorFacts facts_of(const Probes& probes, const std::string& dtype_compute, bool is_psd) {
  return {.norm = probes.norm,
          .noise = probes.additivity + probes.repeatability,
          .asymmetry = probes.symmetry,
          .epsilon = machine_epsilon(dtype_compute),
          .is_psd = is_psd};
}

OperatorFacts OperatorInfo::facts() const { return facts_of(probes, dtype_compute, is_psd); }

void require_usable(const OperatorSettings& settings, const Probes& probes) {
  if (settings.kind != "hessian" || settings.dtype_compute != "bfloat16" || settings.force) return;
  throw Refusal(
      fmt::format("a Hessian in bfloat16 has a noise of {:.2g} of its norm (measured), which hides its small "
                  "and negative eigenvalues; use --dtype-compute float32, or --force",
                  probes.additivity + probes.repeatability));
}

Probes checked_probes(const BuiltOperator& built, LinearOperator& products) {
  const Probes probes = probe(products, static_cast<uint64_t>(built.settings.seed));
  require_symmetric_linear(probes, machine_epsilon(built.settings.dtype_compute));
  require_usable(built.settings, probes);
  return probes;
}

OperatorInfo write_operator(const BuiltOperator& built, const Probes& probes, const fs::path& out,
                            const nlohmann::json& provenance) {
  ArtifactWriter file(out, "ritzflow-operator");
  write_settings(file, built);
  write_probes(file, probes);
  if (embeds_matrix(built)) {
    const int64_t n = built.matrix->n;
    file.dataset("matrix", built.matrix->values,
                 built.matrix->diagonal ? std::vector<int64_t>{n} : std::vector<int64_t>{n, n});
  }
  const auto* kronecker = dynamic_cast<const KroneckerOperator*>(built.op.get());  // no sub-block of one
  if (kronecker && kronecker->has_closed_form()) file.dataset("spectrum", closed_form_spectrum(*kronecker));
  file.provenance(with_paths(provenance, built, out));
  return info_of(built, probes, file.commit());
}

OpenOperator open_operator(const fs::path& path) {
  const ArtifactReader file(path, "ritzflow-operator");
  const Digests expected{.data = attribute_or<std::string>(file, "data_sha256", ""),
                         .model = attribute_or<std::string>(file, "model_sha256", ""),
                         .matrix = attribute_or<std::string>(file, "matrix_sha256", ""),
                         .kfac = attribute_or<std::string>(file, "kfac_sha256", "")};
  BuiltOperator built = build_operator(read_settings(file), expected);
  const auto scalar = [&](const char* name) { return file.read<double>(name).front(); };
  const Probes probes{.repeatability = scalar("probes/repeatability"),
                      .additivity = scalar("probes/additivity"),
                      .symmetry = scalar("probes/symmetry"),
                      .norm = scalar("probes/norm")};
  OperatorInfo info = info_of(built, probes, file.content_sha256());
  if (info.n_params != file.attribute<int64_t>("n_params")) {
    throw InputError(path.string() +
                     ": attribute 'n_params' is not the dimension of the operator that it names");
  }
  return {.op = std::move(built.op),
          .info = std::move(info),
          .settings = std::move(built.settings),
          .coverage = attribute_or<double>(file, "coverage", 1.0),
          .loaded_memory = built.loaded_memory};
}

}  // namespace ritzflow
