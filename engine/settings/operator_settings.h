#pragma once
#include <filesystem>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "settings/choices.h"
#include "settings/setting.h"

namespace ritzflow {

/// Kinds of operators as `About::only_for` lists them.
namespace kinds {
inline constexpr std::string_view hessian[] = {"hessian"}, ggn[] = {"ggn"}, mc_fisher[] = {"mc_fisher"},
                                  empirical_fisher[] = {"empirical_fisher"}, kronecker[] = {"kfac", "ekfac"},
                                  matrix[] = {"matrix"},
                                  of_networks[] = {"hessian",          "ggn",  "mc_fisher",
                                                   "empirical_fisher", "kfac", "ekfac"},
                                  by_products[] = {"hessian", "ggn", "mc_fisher", "empirical_fisher"};
}  // namespace kinds

/// A point theta of a model, the data that its risk averages over, and how products with them are taken.
struct RiskSettings {
  std::filesystem::path data = {}, model = {};
  std::string step = "final";  ///< or a number
  int64_t samples = 0;         ///< 0: all
  int64_t samples_seed = 0;    ///< of the draw of `samples`
  int64_t batch_size = 0;      ///< samples in a micro-batch; 0: by the memory plan
  Arithmetic dtype_compute = Arithmetic::float32;
  Device device = Device::cpu;
};

template <class Visit>
void each_setting(RiskSettings& s, Visit&& visit) {
  visit(s.data, {.name = "data",
                 .doc = "data.h5: the samples that the risk averages over",
                 .unit = "FILE",
                 .only_for = kinds::of_networks,
                 .changes_results = false,
                 .stored = Stored::never});
  visit(s.model, {.name = "model",
                  .doc = "model.h5: the network and its parameters theta",
                  .unit = "FILE",
                  .only_for = kinds::of_networks,
                  .changes_results = false,
                  .stored = Stored::never});
  visit(s.step, {.name = "step",
                 .doc = "training step: a number in model.h5, or final",
                 .only_for = kinds::of_networks,
                 .stored = Stored::never});
  visit(s.samples, {.name = "samples",
                    .doc = "samples drawn at random without replacement, the first ones of a larger draw",
                    .attribute = "samples_drawn",
                    .unset = "all",
                    .only_for = kinds::of_networks,
                    .least = 0,
                    .stored = Stored::unless_default});
  visit(s.samples_seed, {.name = "samples_seed",
                         .doc = "seed of the draw of samples",
                         .only_for = kinds::of_networks,
                         .least = 0,
                         .stored = Stored::unless_default});
  visit(s.batch_size, {.name = "batch_size",
                       .doc = "samples in a micro-batch; changes cost and rounding only",
                       .attribute = "batch_size_used",
                       .unset = "about 512 rows, fewer where --memory asks for it",
                       .group = "Products",
                       .least = 0});
  visit(s.dtype_compute,
        {.name = "dtype_compute",
         .doc = "arithmetic of the product: bfloat16 for features alone, the rest in float32; "
                "a matrix, and K-FAC's factors, are applied in float64",
         .group = "Products"});
  visit(s.device, {.name = "device",
                   .doc = "where products run; vectors stay in host memory",
                   .group = "Products",
                   .only_for = kinds::by_products,
                   .stored = Stored::unless_default});
}

/// H = (1/W) sum_i w_i d2 l / dtheta2.
struct HessianSettings {
  HessianMode hessian_mode = HessianMode::reverse_over_reverse;
  bool force = false;  ///< a Hessian in bfloat16 whatever its noise
};

template <class Visit>
void each_setting(HessianSettings& s, Visit&& visit) {
  visit(s.hessian_mode, {.name = "hessian_mode",
                         .doc = "nesting of the two derivatives; changes cost and rounding only",
                         .only_for = kinds::hessian});
  visit(s.force, {.name = "force",
                  .doc = "take a Hessian in bfloat16, whatever its noise",
                  .only_for = kinds::hessian,
                  .changes_results = false,
                  .stored = Stored::never});
}

/// (1/W) sum_i w_i J_i' (d2l/dz2)_i J_i.
struct GgnSettings {
  GgnMode ggn_mode = GgnMode::automatic;
};

template <class Visit>
void each_setting(GgnSettings& s, Visit&& visit) {
  visit(s.ggn_mode, {.name = "ggn_mode",
                     .doc = "empirical is g g' of the whole risk's gradient, of rank one; auto is true",
                     .only_for = kinds::ggn});
}

/// The Gauss-Newton matrix from targets drawn from the model.
struct McFisherSettings {
  int64_t mc_samples = 1;
};

template <class Visit>
void each_setting(McFisherSettings& s, Visit&& visit) {
  visit(s.mc_samples,
        {.name = "mc_samples", .doc = "draws per row", .only_for = kinds::mc_fisher, .least = 1});
}

/// (1/W) sum_i w_i g_i g_i'.
struct EmpiricalFisherSettings {
  FisherUnit fisher_unit = FisherUnit::automatic;
  double fisher_clip = 0;
};

template <class Visit>
void each_setting(EmpiricalFisherSettings& s, Visit&& visit) {
  visit(s.fisher_unit, {.name = "fisher_unit",
                        .doc = "whose gradients: they agree where a sample is one term of the loss; auto is "
                               "token",
                        .only_for = kinds::empirical_fisher});
  visit(s.fisher_clip, {.name = "fisher_clip",
                        .doc = "L2 bound of a sample's gradient",
                        .unset = "none",
                        .only_for = kinds::empirical_fisher,
                        .least = 0});
}

/// (K + damping I)^power with K = block diagonal of A (x) G over the layers, or with second moments (ekfac).
struct KroneckerSettings {
  std::filesystem::path kfac;
  Uncovered uncovered = Uncovered::refuse;
  double damping = 0;
  double power = 1;
};

template <class Visit>
void each_setting(KroneckerSettings& s, Visit&& visit) {
  static constexpr double powers[] = {1, -1, -0.5};
  visit(s.kfac, {.name = "kfac",
                 .doc = "kfac.h5 of collect-kfac",
                 .unit = "FILE",
                 .group = "Input",
                 .only_for = kinds::kronecker,
                 .changes_results = false,
                 .stored = Stored::never});
  visit(s.uncovered, {.name = "uncovered",
                      .doc = "how parameters without factors are treated",
                      .only_for = kinds::kronecker});
  visit(
      s.damping,
      {.name = "damping", .doc = "d of the operator (K + d I)^p", .only_for = kinds::kronecker, .least = 0});
  visit(s.power, {.name = "power",
                  .doc = "p of (K + d I)^p: 1, -1 (inverse) or -0.5 (inverse square root); below 0 it needs "
                         "damping where K has an eigenvalue 0, as with most classifiers",
                  .only_for = kinds::kronecker,
                  .one_of = powers});
}

/// A symmetric matrix in a file.
struct MatrixSettings {
  std::string matrix;  ///< FILE.h5:/dataset
};

template <class Visit>
void each_setting(MatrixSettings& s, Visit&& visit) {
  visit(s.matrix, {.name = "matrix",
                   .doc = "symmetric [n,n], or [n] as a diagonal",
                   .unit = "FILE:/DATASET",
                   .group = "Input",
                   .only_for = kinds::matrix,
                   .changes_results = false,
                   .stored = Stored::never});
}

/// The settings of one kind: none has a setting that says nothing of it.
using KindSettings = std::variant<HessianSettings, GgnSettings, McFisherSettings, EmpiricalFisherSettings,
                                  KroneckerSettings, MatrixSettings>;

/// The defaults of a kind.
inline KindSettings default_settings(OperatorKind kind) {
  switch (kind) {
    case OperatorKind::hessian:
      return HessianSettings{};
    case OperatorKind::ggn:
      return GgnSettings{};
    case OperatorKind::mc_fisher:
      return McFisherSettings{};
    case OperatorKind::empirical_fisher:
      return EmpiricalFisherSettings{};
    case OperatorKind::kfac:
    case OperatorKind::ekfac:
      return KroneckerSettings{};
    case OperatorKind::matrix:
      break;
  }
  return MatrixSettings{};
}

template <class... S>
std::tuple<S...> every_kind(const std::variant<S...>&);

/// The settings of all kinds, one after the other.
using SettingsOfEveryKind = decltype(every_kind(KindSettings{}));

/// Random numbers of an operator.
struct DrawSettings {
  int64_t seed = 0;
};

template <class Visit>
void each_setting(DrawSettings& s, Visit&& visit) {
  visit(s.seed, {.name = "seed", .doc = "seed of Monte-Carlo draws and probe vectors", .least = 0});
}

/// What is asked of build-operator.
struct OperatorSettings {
  OperatorKind kind = OperatorKind::hessian;
  KindSettings of_kind;
  RiskSettings risk;
  std::vector<std::string> params_filter;
  int64_t compute_threads = 1;
  MemorySize memory{int64_t{4} << 30};  ///< the same on every machine: it decides the cut into micro-batches
  DrawSettings draws;
};

/// Those of every kind, without `risk`, `of_kind` and `draws`.
template <class Visit>
void each_setting(OperatorSettings& s, Visit&& visit) {
  visit(s.kind, {.name = "operator", .doc = "kind of the curvature matrix", .required = true});
  visit(
      s.params_filter,
      {.name = "params_filter",
       .doc = "globs of the parameters that the matrix is taken over, such as 'layers.0.*'; '!GLOB' excludes",
       .unset = "all parameters",
       .unit = "GLOB",
       .stored = Stored::unless_default});
  visit(s.compute_threads,
        {.name = "compute_threads",
         .doc = "threads inside one micro-batch; part of the result's bits, unlike --threads",
         .group = "Products",
         .least = 1});
  visit(s.memory,
        {.name = "memory",
         .doc = "bytes that products may use, as 4GiB or 512MiB: decides the micro-batch and whether "
                "linearizations are kept; with --device cuda those of the GPU",
         .group = "Products",
         .changes_results = false,
         .stored = Stored::never});
}

/// Whether factors of collect-kfac make the operator.
inline bool is_kronecker(OperatorKind kind) {
  return kind == OperatorKind::kfac || kind == OperatorKind::ekfac;
}

}  // namespace ritzflow
