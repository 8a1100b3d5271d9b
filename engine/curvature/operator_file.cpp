#include "curvature/operator_file.h"

#include <fmt/format.h>

#include <cfloat>
#include <nlohmann/json.hpp>

#include "artifact/settings_attributes.h"
#include "core/error.h"
#include "curvature/kfac/kfac_spectrum.h"

namespace ritzflow::curvature {
namespace {

namespace fs = std::filesystem;

constexpr size_t embedded_bytes = size_t{64} << 20;  // larger matrices stay in their own file

bool embeds_matrix(const BuiltOperator& built) {
  return built.matrix && built.matrix->values.size() * sizeof(double) <= embedded_bytes;
}

std::string from_folder_of(const fs::path& out, const fs::path& file) {
  return fs::relative(fs::absolute(file), fs::absolute(out).parent_path()).string();
}

void write_plan(artifact::ArtifactWriter& file, const BuiltOperator& built) {
  file.attribute("memory", built.settings.memory.bytes);
  file.attribute("memory_needed", built.plan->bytes);
  file.attribute("linearizations", word(built.plan->lifetime));
  file.attribute("in_flight", built.plan->in_flight);
}

std::optional<MemoryPlan> read_plan(const artifact::ArtifactReader& file) {
  if (!file.has_attribute("linearizations")) return std::nullopt;
  return MemoryPlan{.batch_size = file.attribute<int64_t>("batch_size_used"),
                    .lifetime = artifact::word_attribute<model::Lifetime>(file, "linearizations"),
                    .in_flight = file.attribute<int64_t>("in_flight"),
                    .bytes = file.attribute<int64_t>("memory_needed")};
}

void write_operator_settings(artifact::ArtifactWriter& file, const BuiltOperator& built) {
  const OperatorSettings& settings = built.settings;
  file.attribute("n_params", built.op->dim());
  file.attribute("is_psd", built.is_psd);
  if (built.matrix) {
    file.attribute("operator", word(settings.kind));
    file.attribute("dtype_compute", word(settings.risk.dtype_compute));
    file.attribute("seed", settings.draws.seed);
    file.attribute("matrix_sha256", built.digests.matrix);
    return;
  }
  artifact::write_settings(file, settings);
  artifact::write_settings(file, settings.risk);
  artifact::write_settings(file, settings.draws);
  std::visit([&](const auto& of_kind) { artifact::write_settings(file, of_kind); }, settings.of_kind);
  file.attribute("data_sha256", built.digests.data);
  file.attribute("model_sha256", built.digests.model);
  file.attribute("step", int64_t{std::stoll(settings.risk.step)});
  file.attribute("loss", built.loss);
  file.attribute("samples", built.samples);
  file.attribute("rows", built.rows);
  if (built.plan) write_plan(file, built);
  if (is_kronecker(settings.kind)) {
    file.attribute("kfac_sha256", built.digests.kfac);
    file.attribute("coverage", static_cast<double>(built.coverage.covered_elements) /
                                   static_cast<double>(built.coverage.total_elements));
  }
  if (built.mc_fisher_unit) file.attribute("fisher_unit", word(*built.mc_fisher_unit));
}

void write_probes(artifact::ArtifactWriter& file, const Probes& probes) {
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
    const MatrixPlace place = parse_matrix_place(std::get<MatrixSettings>(settings.of_kind).matrix);
    facts["matrix_path"] = from_folder_of(out, place.file);
    facts["matrix_dataset"] = place.dataset;
  } else {
    facts["data_path"] = from_folder_of(out, settings.risk.data);
    facts["model_path"] = from_folder_of(out, settings.risk.model);
    if (const auto* of_kind = std::get_if<KroneckerSettings>(&settings.of_kind))
      facts["kfac_path"] = from_folder_of(out, of_kind->kfac);
  }
  return facts;
}

fs::path referred(const artifact::ArtifactReader& file, const std::string& name) {
  return (file.path().parent_path() / file.attribute<std::string>("/provenance", name)).lexically_normal();
}

/// FILE:/dataset of the matrix, which is in operator.h5 itself or in a file of its own.
std::string matrix_of(const artifact::ArtifactReader& file) {
  if (file.has("matrix")) return file.path().string() + ":/matrix";
  return referred(file, "matrix_path").string() + ":" +
         file.attribute<std::string>("/provenance", "matrix_dataset");
}

/// The settings that build the same operator again.
OperatorSettings read_operator_settings(const artifact::ArtifactReader& file) {
  OperatorSettings settings;
  settings.kind = artifact::word_attribute<OperatorKind>(file, "operator");
  settings.of_kind = default_settings(settings.kind);
  if (auto* of_kind = std::get_if<MatrixSettings>(&settings.of_kind)) {
    of_kind->matrix = matrix_of(file);
    settings.draws.seed = file.attribute<int64_t>("seed");
    return settings;
  }
  settings = artifact::read_settings(file, settings);
  settings.risk = artifact::read_settings(file, settings.risk);
  settings.draws = artifact::read_settings(file, settings.draws);
  std::visit([&](auto& of_kind) { of_kind = artifact::read_settings(file, of_kind); }, settings.of_kind);
  settings.risk.data = referred(file, "data_path");
  settings.risk.model = referred(file, "model_path");
  settings.risk.step = std::to_string(file.attribute<int64_t>("step"));
  if (auto* of_kind = std::get_if<KroneckerSettings>(&settings.of_kind))
    of_kind->kfac = referred(file, "kfac_path");
  return settings;
}

OperatorInfo info_of(const BuiltOperator& built, const Probes& probes, const std::string& sha256) {
  const OperatorSettings& settings = built.settings;
  return {.kind = settings.kind,
          .n_params = built.op->dim(),
          .is_psd = built.is_psd,
          .batch_size_used = settings.risk.batch_size,
          .dtype_compute = settings.risk.dtype_compute,
          .step = built.matrix ? 0 : std::stoll(settings.risk.step),
          .seed = settings.draws.seed,
          .probes = probes,
          .sha256 = sha256};
}

}  // namespace

double machine_epsilon(Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::bfloat16) return 0x1p-7;
  return arithmetic == Arithmetic::float64 ? DBL_EPSILON : FLT_EPSILON;
}

double OperatorInfo::epsilon() const { return machine_epsilon(dtype_compute); }

krylov::OperatorFacts facts_of(const Probes& probes, Arithmetic arithmetic, bool is_psd) {
  return {.norm = probes.norm,
          .noise = probes.additivity + probes.repeatability,
          .asymmetry = probes.symmetry,
          .epsilon = machine_epsilon(arithmetic),
          .is_psd = is_psd};
}

krylov::OperatorFacts OperatorInfo::facts() const { return facts_of(probes, dtype_compute, is_psd); }

void require_usable(const OperatorSettings& settings, const Probes& probes) {
  const auto* hessian = std::get_if<HessianSettings>(&settings.of_kind);
  if (hessian == nullptr || settings.risk.dtype_compute != Arithmetic::bfloat16 || hessian->force) return;
  throw Refusal(
      fmt::format("a Hessian in bfloat16 has a noise of {:.2g} of its norm (measured), which hides its small "
                  "and negative eigenvalues; use --dtype-compute float32, or --force",
                  probes.additivity + probes.repeatability));
}

Probes checked_probes(const BuiltOperator& built, krylov::LinearOperator& products) {
  const Probes probes = probe(products, static_cast<uint64_t>(built.settings.draws.seed));
  require_symmetric_linear(probes, machine_epsilon(built.settings.risk.dtype_compute));
  require_usable(built.settings, probes);
  return probes;
}

OperatorInfo write_operator(const BuiltOperator& built, const Probes& probes, const fs::path& out,
                            const nlohmann::json& provenance) {
  artifact::ArtifactWriter file(out, "ritzflow-operator");
  write_operator_settings(file, built);
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
  const artifact::ArtifactReader file(path, "ritzflow-operator");
  const Digests expected{.data = file.attribute_or<std::string>("data_sha256", ""),
                         .model = file.attribute_or<std::string>("model_sha256", ""),
                         .matrix = file.attribute_or<std::string>("matrix_sha256", ""),
                         .kfac = file.attribute_or<std::string>("kfac_sha256", "")};
  BuiltOperator built = build_operator(read_operator_settings(file), expected, read_plan(file));
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
  const int64_t product_memory = built.product_memory();
  return {.op = std::move(built.op),
          .info = std::move(info),
          .settings = std::move(built.settings),
          .coverage = file.attribute_or<double>("coverage", 1.0),
          .loaded_memory = built.loaded_memory,
          .product_memory = product_memory};
}

}  // namespace ritzflow::curvature
