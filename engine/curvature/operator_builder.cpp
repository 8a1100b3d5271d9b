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

namespace ritzflow::curvature {
namespace {

BuiltOperator build_matrix(const OperatorSettings& settings, const Digests& expected) {
  if (!settings.params_filter.empty()) throw InputError("--params-filter: a matrix has no named parameters");
  const std::string& text = std::get<MatrixSettings>(settings.of_kind).matrix;
  if (text.empty()) throw InputError("--operator matrix needs --matrix FILE.h5:/dataset");
  const MatrixPlace place = parse_matrix_place(text);
  BuiltOperator built;
  built.settings = settings;
  built.settings.risk.dtype_compute = Arithmetic::float64;
  built.matrix = std::make_shared<const Matrix>(read_matrix(place));
  built.digests.matrix = digest(*built.matrix);
  require_digest(place.file, built.digests.matrix, expected.matrix);
  const auto& values = built.matrix->values;
  built.is_psd =
      built.matrix->diagonal && std::all_of(values.begin(), values.end(), [](double a) { return a >= 0; });
  built.op = make_matrix_operator(built.matrix);
  return built;
}

std::unique_ptr<krylov::LinearOperator> make_ggn_of_mode(std::shared_ptr<const problem::EmpiricalRisk> risk,
                                                         GgnMode mode) {
  if (mode != GgnMode::empirical) return make_ggn(std::move(risk));
  spdlog::warn(
      "ggn_mode empirical is g g' with the gradient g of the whole risk: rank one, with ||g||^2 as its only "
      "eigenvalue that is not zero, and no approximation of the Gauss-Newton matrix");
  return make_gradient_outer_product(*risk);
}

/// The operators that take products with the data, one for each kind of settings.
std::unique_ptr<krylov::LinearOperator> make_curvature(std::shared_ptr<const problem::EmpiricalRisk> risk,
                                                       const OperatorSettings& settings) {
  if (const auto* of_kind = std::get_if<HessianSettings>(&settings.of_kind))
    return make_hessian(std::move(risk), of_kind->hessian_mode);
  if (const auto* of_kind = std::get_if<GgnSettings>(&settings.of_kind))
    return make_ggn_of_mode(std::move(risk), of_kind->ggn_mode);
  if (const auto* of_kind = std::get_if<EmpiricalFisherSettings>(&settings.of_kind))
    return make_empirical_fisher(std::move(risk),
                                 {.unit = of_kind->fisher_unit, .clip = of_kind->fisher_clip});
  const auto& of_kind = std::get<McFisherSettings>(settings.of_kind);
  return make_mc_fisher(std::move(risk), of_kind.mc_samples, static_cast<uint64_t>(settings.draws.seed));
}

/// Settings without `auto`, and whose gradients a Fisher matrix averages over: where a sample is one term of
/// the loss, token and sample are the same.
void resolve_kind(bool one_term_per_sample, BuiltOperator& built) {
  KindSettings& settings = built.settings.of_kind;
  if (auto* ggn = std::get_if<GgnSettings>(&settings); ggn && ggn->ggn_mode == GgnMode::automatic) {
    spdlog::info("ggn_mode auto = true: the generalised Gauss-Newton matrix");
    ggn->ggn_mode = GgnMode::exact;
  }
  const FisherUnit each_term = one_term_per_sample ? FisherUnit::sample : FisherUnit::token;
  if (std::holds_alternative<McFisherSettings>(settings)) built.mc_fisher_unit = each_term;
  auto* fisher = std::get_if<EmpiricalFisherSettings>(&settings);
  if (fisher && fisher->fisher_unit != FisherUnit::sample) fisher->fisher_unit = each_term;
}

std::string draw_text(int64_t samples, int64_t seed) {
  return samples == 0 ? "all" : fmt::format("{}/{}", samples, seed);
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
  if (!file.origin.data_sha256.empty()) {
    require("draw of samples", draw_text(file.origin.samples, file.origin.samples_seed),
            draw_text(built.settings.risk.samples, built.settings.risk.samples_seed));
  }
  require("step", file.origin.step < 0 ? "" : std::to_string(file.origin.step), built.settings.risk.step);
}

std::unique_ptr<krylov::LinearOperator> uncovered_ggn(std::shared_ptr<const problem::EmpiricalRisk> risk,
                                                      const KroneckerFactors& factors) {
  const model::ParamSpace& space = risk->network().params();
  auto ranges = uncovered_ranges(coverage(factors, space), space);
  if (ranges.empty()) return nullptr;
  return make_restriction(make_ggn(std::move(risk)), std::move(ranges));
}

/// Fills the operator and its coverage in.
void make_kronecker(const std::shared_ptr<const problem::EmpiricalRisk>& risk, const Digests& expected,
                    BuiltOperator& built) {
  const OperatorKind kind = built.settings.kind;
  const auto& settings = std::get<KroneckerSettings>(built.settings.of_kind);
  if (settings.kfac.empty()) throw InputError("--operator " + word(kind) + " needs --kfac kfac.h5");
  const KroneckerOptions options{
      .of = {.ekfac = kind == OperatorKind::ekfac, .damping = settings.damping, .power = settings.power},
      .uncovered = settings.uncovered};
  const KfacFile file = read_kfac(settings.kfac);
  require_digest(settings.kfac, file.sha256, expected.kfac);
  require_origin(file, settings.kfac, built);
  built.digests.kfac = file.sha256;
  try {
    const model::ParamSpace& space = risk->network().params();
    built.coverage = coverage(file.factors, space);
    auto uncovered = options.uncovered == Uncovered::exact_ggn ? uncovered_ggn(risk, file.factors) : nullptr;
    auto op = std::make_unique<KroneckerOperator>(file.factors, space, options, std::move(uncovered));
    // Factors are applied in float64 whatever the exact block computes in.
    if (op->has_closed_form()) built.settings.risk.dtype_compute = Arithmetic::float64;
    built.op = std::move(op);
  } catch (const InputError& error) {
    throw InputError(settings.kfac.string() + ": " + error.what());
  }
  spdlog::info("{}", built.coverage.text());
}

/// Cuts the data set as memory allows, unless there is a plan already.
void make_planned(RiskPoint& point, bool fixed_batch, const std::optional<MemoryPlan>& known,
                  BuiltOperator& built) {
  OperatorSettings& settings = built.settings;
  OperatorSettings quiet = settings;
  if (auto* of_kind = std::get_if<GgnSettings>(&quiet.of_kind))
    of_kind->ggn_mode = GgnMode::exact;  // as dear
  const auto make = [&](const auto& risk) { return make_curvature(risk, quiet); };
  built.plan =
      known ? *known
            : plan_memory(*point.risk, make, settings.risk.batch_size, fixed_batch, settings.memory.bytes);
  settings.risk.batch_size = built.plan->batch_size;
  require_room(built.plan->bytes, point.risk->options().device);
  point.risk = std::make_shared<const problem::EmpiricalRisk>(
      point.risk->cut(built.plan->batch_size, built.plan->lifetime, built.plan->in_flight));
  built.op = make_curvature(point.risk, settings);
}

/// By construction: a Gauss-Newton matrix is what the loss is in the outputs.
bool is_semidefinite(const KindSettings& settings, const model::Loss& loss) {
  if (std::holds_alternative<HessianSettings>(settings)) return false;
  const auto* ggn = std::get_if<GgnSettings>(&settings);
  const auto* kronecker = std::get_if<KroneckerSettings>(&settings);
  const bool holds_ggn = (ggn && ggn->ggn_mode != GgnMode::empirical) ||
                         (kronecker && kronecker->uncovered == Uncovered::exact_ggn);
  return !holds_ggn || loss.is_convex();
}

BuiltOperator build_curvature(const OperatorSettings& settings, const Digests& expected,
                              const std::optional<MemoryPlan>& plan) {
  const std::string kind = word(settings.kind);
  if (settings.risk.data.empty()) throw InputError("--operator " + kind + " needs --data data.h5");
  if (settings.risk.model.empty()) throw InputError("--operator " + kind + " needs --model model.h5");
  const RiskUse use = {.compute_threads = settings.compute_threads,
                       .hessian = settings.kind == OperatorKind::hessian};
  RiskPoint point = load_risk(settings.risk, use, expected);
  BuiltOperator built;
  built.settings = settings;
  built.settings.risk = point.settings;
  built.digests = point.digests;
  built.is_psd = is_semidefinite(settings.of_kind, point.risk->loss_function());
  built.loss = point.risk->loss_function().name();
  built.samples = point.risk->samples();
  built.loaded_memory = resident_memory();
  built.rows = point.risk->counted_rows();
  resolve_kind(point.risk->rows_per_sample() == 1, built);
  if (is_kronecker(settings.kind)) {
    make_kronecker(point.risk, expected, built);
  } else {
    make_planned(point, point.whole_batch || settings.risk.batch_size > 0, plan, built);
  }
  if (!settings.params_filter.empty()) {
    built.op = make_restriction(std::move(built.op),
                                select_parameters(point.risk->network().params(), settings.params_filter));
  }
  return built;
}

}  // namespace

int64_t BuiltOperator::product_memory() const {
  if (!plan) return 0;
  return settings.risk.device == Device::cpu ? plan->bytes : 2 * op->dim() * int64_t{sizeof(double)};
}

BuiltOperator build_operator(const OperatorSettings& settings, const Digests& expected,
                             const std::optional<MemoryPlan>& plan) {
  if (settings.kind == OperatorKind::matrix) return build_matrix(settings, expected);
  return build_curvature(settings, expected, plan);
}

}  // namespace ritzflow::curvature
