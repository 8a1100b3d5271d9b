#include "curvature/operator_builder.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/error.h"
#include "core/resident_memory.h"
#include "curvature/kfac/kfac_file.h"
#include "curvature/memory_plan.h"
#include "curvature/operators/empirical_fisher.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "curvature/operators/mc_fisher.h"
#include "curvature/operators/restriction.h"
#include "curvature/risk_point.h"
#include "problem/empirical_risk.h"

namespace ritzflow {
namespace {

bool is_kronecker(const std::string& kind) { return kind == "kfac" || kind == "ekfac"; }

HessianMode parse_hessian_mode(const std::string& mode) {
  require_one_of("--hessian-mode", mode,
                 {"reverse_over_reverse", "forward_over_reverse", "reverse_over_forward"});
  if (mode == "forward_over_reverse") return HessianMode::forward_over_reverse;
  return mode == "reverse_over_forward" ? HessianMode::reverse_over_forward
                                        : HessianMode::reverse_over_reverse;
}

BuiltOperator build_matrix(const OperatorSettings& settings, const Digests& expected) {
  if (!settings.params_filter.empty()) throw InputError("--params-filter: a matrix has no named parameters");
  if (settings.matrix.file.empty()) throw InputError("--operator matrix needs --matrix FILE.h5:/dataset");
  BuiltOperator built;
  built.settings = settings;
  built.settings.dtype_compute = "float64";
  built.matrix = std::make_shared<const Matrix>(read_matrix(settings.matrix));
  built.digests.matrix = digest(*built.matrix);
  require_digest(settings.matrix.file, built.digests.matrix, expected.matrix);
  const auto& values = built.matrix->values;
  built.is_psd =
      built.matrix->diagonal && std::all_of(values.begin(), values.end(), [](double a) { return a >= 0; });
  built.op = make_matrix_operator(built.matrix);
  return built;
}

std::unique_ptr<LinearOperator> make_ggn_of_mode(std::shared_ptr<const EmpiricalRisk> risk,
                                                 std::string& mode) {
  require_one_of("--ggn-mode", mode, {"true", "empirical", "auto"});
  if (mode == "auto") {
    spdlog::info("ggn_mode auto = true: the generalised Gauss-Newton matrix");
    mode = "true";
  }
  if (mode == "true") return make_ggn(std::move(risk));
  spdlog::warn(
      "ggn_mode empirical is g g' with the gradient g of the whole risk: rank one, with ||g||^2 as its only "
      "eigenvalue that is not zero, and no approximation of the Gauss-Newton matrix");
  return make_gradient_outer_product(*risk);
}

std::unique_ptr<LinearOperator> make_curvature(std::shared_ptr<const EmpiricalRisk> risk,
                                               OperatorSettings& settings) {
  if (settings.kind == "hessian") {
    return make_hessian(std::move(risk), parse_hessian_mode(settings.hessian_mode));
  }
  if (settings.kind == "ggn") return make_ggn_of_mode(std::move(risk), settings.ggn_mode);
  if (settings.kind == "empirical_fisher") {
    return make_empirical_fisher(
        std::move(risk), {.unit = parse_fisher_unit(settings.fisher_unit), .clip = settings.fisher_clip});
  }
  return make_mc_fisher(std::move(risk), settings.mc_samples, static_cast<uint64_t>(settings.seed));
}

/// Throws unless the factors are of this very model, data and step, as far as the file says.
void require_origin(const KfacFile& file, const std::filesystem::path& path, const BuiltOperator& built) {
  const auto require = [&](const std::string& what, const std::string& actual, const std::string& expected) {
    if (actual.empty() || actual == expected) return;
    throw InputError(fmt::format("{}: was collected for another {} ({}, expected {}); run collect-kfac again",
                                 path.string(), what, actual.substr(0, 12), expected.substr(0, 12)));
  };
  require("model", file.origin.model_sha256, built.digests.model);
  require("data set", file.origin.data_sha256, built.digests.data);
  require("step", file.origin.step < 0 ? "" : std::to_string(file.origin.step), built.settings.step);
}

std::unique_ptr<LinearOperator> uncovered_ggn(std::shared_ptr<const EmpiricalRisk> risk,
                                              const KroneckerFactors& factors) {
  const ParamSpace& space = risk->network().params();
  auto ranges = uncovered_ranges(coverage(factors, space), space);
  if (ranges.empty()) return nullptr;
  return make_restriction(make_ggn(std::move(risk)), std::move(ranges));
}

/// Fills the operator and its coverage in.
void make_kronecker(const std::shared_ptr<const EmpiricalRisk>& risk, const Digests& expected,
                    BuiltOperator& built) {
  const OperatorSettings& settings = built.settings;
  if (settings.kfac.empty()) throw InputError("--operator " + settings.kind + " needs --kfac kfac.h5");
  const KroneckerOptions options{
      .of = {.ekfac = settings.kind == "ekfac", .damping = settings.damping, .power = settings.power},
      .uncovered = parse_uncovered(settings.uncovered)};
  const KfacFile file = read_kfac(settings.kfac);
  require_digest(settings.kfac, file.sha256, expected.kfac);
  require_origin(file, settings.kfac, built);
  built.digests.kfac = file.sha256;
  try {
    const ParamSpace& space = risk->network().params();
    built.coverage = coverage(file.factors, space);
    auto uncovered = options.uncovered == Uncovered::exact_ggn ? uncovered_ggn(risk, file.factors) : nullptr;
    auto op = std::make_unique<KroneckerOperator>(file.factors, space, options, std::move(uncovered));
    // Factors are applied in float64 whatever the exact block computes in.
    if (op->has_closed_form()) built.settings.dtype_compute = "float64";
    built.op = std::move(op);
  } catch (const InputError& error) {
    throw InputError(settings.kfac.string() + ": " + error.what());
  }
  spdlog::info("{}", built.coverage.text());
}

/// Cuts the data set as memory allows, unless the settings come from an operator.h5 that says how.
std::unique_ptr<LinearOperator> make_planned(RiskPoint& point, bool fixed_batch, OperatorSettings& settings) {
  if (settings.linearizations.empty()) {
    OperatorSettings quiet = settings;
    if (quiet.kind == "ggn" && quiet.ggn_mode == "empirical") quiet.ggn_mode = "true";  // g costs no more
    const auto make = [&](const auto& risk) { return make_curvature(risk, quiet); };
    if (quiet.ggn_mode == "auto") quiet.ggn_mode = "true";
    const MemoryPlan plan = plan_memory(*point.risk, make, settings.batch_size, fixed_batch, settings.memory);
    settings.batch_size = plan.batch_size;
    settings.linearizations = plan.lifetime == Lifetime::many_products ? "kept" : "rebuilt";
    settings.in_flight = plan.in_flight;
    settings.memory_needed = plan.bytes;
  }
  require_room(settings.memory_needed, point.risk->options().device);
  require_one_of("linearizations", settings.linearizations, {"kept", "rebuilt"});
  const auto lifetime = settings.linearizations == "kept" ? Lifetime::many_products : Lifetime::one_product;
  point.risk = std::make_shared<const EmpiricalRisk>(
      point.risk->cut(settings.batch_size, lifetime, settings.in_flight));
  return make_curvature(point.risk, settings);
}

/// By construction: a Gauss-Newton matrix is what the loss is in the outputs.
bool is_semidefinite(const OperatorSettings& settings, const Loss& loss) {
  if (settings.kind == "hessian") return false;
  const bool holds_ggn = settings.kind == "ggn"
                             ? settings.ggn_mode != "empirical"
                             : is_kronecker(settings.kind) && settings.uncovered == "exact_ggn";
  return !holds_ggn || loss.is_convex();
}

BuiltOperator build_curvature(const OperatorSettings& settings, const Digests& expected) {
  if (settings.data.empty()) throw InputError("--operator " + settings.kind + " needs --data data.h5");
  if (settings.model.empty()) throw InputError("--operator " + settings.kind + " needs --model model.h5");
  RiskPoint point = load_risk(settings, expected);
  BuiltOperator built;
  built.settings = point.settings;
  built.digests = point.digests;
  built.is_psd = is_semidefinite(settings, point.risk->loss_function());
  built.loss = point.risk->loss_function().name();
  built.samples = point.risk->samples();
  built.loaded_memory = resident_memory();
  built.rows = point.risk->counted_rows();
  if (settings.kind.ends_with("fisher")) {
    const bool sample = point.risk->rows_per_sample() == 1 || settings.fisher_unit == "sample";
    built.fisher_unit = built.settings.fisher_unit = sample ? "sample" : "token";
  }
  if (is_kronecker(settings.kind)) {
    make_kronecker(point.risk, expected, built);
  } else {
    built.op = make_planned(point, point.whole_batch || settings.batch_size > 0, built.settings);
  }
  if (!settings.params_filter.empty()) {
    built.op = make_restriction(std::move(built.op),
                                select_parameters(point.risk->network().params(), settings.params_filter));
  }
  return built;
}

}  // namespace

BuiltOperator build_operator(const OperatorSettings& settings, const Digests& expected) {
  require_one_of("--operator", settings.kind, operator_kinds());
  if (settings.kind == "matrix") return build_matrix(settings, expected);
  return build_curvature(settings, expected);
}

}  // namespace ritzflow
