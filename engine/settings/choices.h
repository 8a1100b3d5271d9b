#pragma once
#include "core/words.h"

/// Enumerations of settings, each with its words: parsed where they come in, printed from the same table.
namespace ritzflow {

/// Which matrix: `--operator`.
enum class OperatorKind { hessian, ggn, mc_fisher, empirical_fisher, kfac, ekfac, matrix };
template <>
struct Words<OperatorKind> {
  using enum OperatorKind;
  static constexpr auto all = word_list<OperatorKind>({{hessian, "hessian"},
                                                       {ggn, "ggn"},
                                                       {mc_fisher, "mc_fisher"},
                                                       {empirical_fisher, "empirical_fisher"},
                                                       {kfac, "kfac"},
                                                       {ekfac, "ekfac"},
                                                       {matrix, "matrix"}});
};

/// Arithmetic of a product; `bfloat16` for features alone, the rest in float32.
enum class Arithmetic { float32, float64, bfloat16 };
template <>
struct Words<Arithmetic> {
  using enum Arithmetic;
  static constexpr auto all =
      word_list<Arithmetic>({{float32, "float32"}, {float64, "float64"}, {bfloat16, "bfloat16"}});
};

/// Where products run; vectors stay in host memory.
enum class Device { cpu, cuda };
template <>
struct Words<Device> {
  using enum Device;
  static constexpr auto all = word_list<Device>({{cpu, "cpu"}, {cuda, "cuda"}});
};

/// How the two derivatives of a Hessian product are nested; the three give the same product.
///   reverse_over_reverse  d/dtheta of v'grad L: one graph for all vectors, the default;
///   forward_over_reverse  the tangent along v of grad L;
///   reverse_over_forward  the gradient of the tangent of L along v.
enum class HessianMode { reverse_over_reverse, forward_over_reverse, reverse_over_forward };
template <>
struct Words<HessianMode> {
  using enum HessianMode;
  static constexpr auto all = word_list<HessianMode>({{reverse_over_reverse, "reverse_over_reverse"},
                                                      {forward_over_reverse, "forward_over_reverse"},
                                                      {reverse_over_forward, "reverse_over_forward"}});
};

/// `exact` is the generalised Gauss-Newton matrix, `empirical` g g' of the whole risk's gradient, of rank
/// one.
enum class GgnMode { exact, empirical, automatic };
template <>
struct Words<GgnMode> {
  using enum GgnMode;
  static constexpr auto all =
      word_list<GgnMode>({{exact, "true"}, {empirical, "empirical"}, {automatic, "auto"}});
};

/// Whose gradients the empirical Fisher matrix is the second moment of.
///   token   every row of the loss: a token, or a sample where it has one row;
///   sample  each sample with all of its tokens.
enum class FisherUnit { sample, token, automatic };
template <>
struct Words<FisherUnit> {
  using enum FisherUnit;
  static constexpr auto all =
      word_list<FisherUnit>({{sample, "sample"}, {token, "token"}, {automatic, "auto"}});
};

/// How parameters without factors are treated: an eigenvalue of 0 or 1, the exact Gauss-Newton block, or a
/// refusal.
enum class Uncovered { zero, identity, exact_ggn, refuse };
template <>
struct Words<Uncovered> {
  using enum Uncovered;
  static constexpr auto all = word_list<Uncovered>(
      {{zero, "zero"}, {identity, "identity"}, {exact_ggn, "exact_ggn"}, {refuse, "refuse"}});
};

/// How the R positions at which a sample uses a weight are treated. expand: as if each were a sample; reduce:
/// inputs are averaged and gradients summed over them first. Eschenhagen et al., "Kronecker-factored
/// approximate curvature for modern neural network architectures", NeurIPS 2023.
enum class WeightSharing { expand, reduce };
template <>
struct Words<WeightSharing> {
  using enum WeightSharing;
  static constexpr auto all = word_list<WeightSharing>({{expand, "expand"}, {reduce, "reduce"}});
};

/// Which second moment of the outputs' gradients the factors estimate.
///   type2      sum over the columns of S_i with S_i S_i' = d2l/dz_i2: the generalised Gauss-Newton matrix;
///   mc         gradients for targets drawn from the model: unbiased for the same matrix;
///   empirical  gradients for the targets of the data.
enum class FisherType { type2, mc, empirical };
template <>
struct Words<FisherType> {
  using enum FisherType;
  static constexpr auto all = word_list<FisherType>({{type2, "type2"}, {mc, "mc"}, {empirical, "empirical"}});
};

/// How the terms of the loss that one sample owns (T tokens) go back through the network, for type2 and
/// empirical. The factors average over terms, so that products of two terms' gradients have no place in
/// them.
///   separate   each by itself: no such product arises; T backward passes where one does for the others;
///   signs      all at once, each with a random sign of its own: such products vanish on average;
///   sum        all at once: such products stay, as in most published implementations;
///   automatic  separate where that takes few passes, else signs (choose_token_terms()).
enum class TokenTerms { automatic, separate, signs, sum };
template <>
struct Words<TokenTerms> {
  using enum TokenTerms;
  static constexpr auto all =
      word_list<TokenTerms>({{automatic, "auto"}, {separate, "separate"}, {signs, "signs"}, {sum, "sum"}});
};

/// Which eigenvalues are wanted. `both`: k in total, half at each end, the odd one at the top.
enum class Which { largest, smallest, both, magnitude };
template <>
struct Words<Which> {
  using enum Which;
  static constexpr auto all = word_list<Which>(
      {{largest, "largest"}, {smallest, "smallest"}, {both, "both"}, {magnitude, "magnitude"}});
};

/// How the vectors of a run are kept orthogonal; `automatic` chooses by the memory available.
enum class ReorthMode { full, selective, off, automatic, partial, parlett_scott, thick_restart };
template <>
struct Words<ReorthMode> {
  using enum ReorthMode;
  static constexpr auto all = word_list<ReorthMode>({{full, "full"},
                                                     {selective, "selective"},
                                                     {off, "off"},
                                                     {automatic, "auto"},
                                                     {partial, "partial"},
                                                     {parlett_scott, "parlett_scott"},
                                                     {thick_restart, "thick_restart"}});
};

/// How rows are stored. Sums are float64 in both.
enum class BasisType { float64, float32 };
template <>
struct Words<BasisType> {
  using enum BasisType;
  static constexpr auto all = word_list<BasisType>({{float64, "float64"}, {float32, "float32"}});
};

/// Where Lanczos vectors are held: in memory, on disk, or in memory if they fit. The results are
/// bit-identical.
enum class BasisPlace { ram, disk, automatic };
template <>
struct Words<BasisPlace> {
  using enum BasisPlace;
  static constexpr auto all = word_list<BasisPlace>({{ram, "ram"}, {disk, "disk"}, {automatic, "auto"}});
};

/// The same of vectors that are stored or replayed; `none` is a two-pass replay in the memory of two.
enum class ReplayPlace { ram, disk, none, automatic };
template <>
struct Words<ReplayPlace> {
  using enum ReplayPlace;
  static constexpr auto all =
      word_list<ReplayPlace>({{ram, "ram"}, {disk, "disk"}, {none, "none"}, {automatic, "auto"}});
};

/// What is added to the reported values of a semi-definite operator, never to what Lanczos iterates on:
/// nothing, the amount itself, or that share of lambda_max; automatic: the share, above a condition number of
/// 1e12.
enum class RegularizationMode { off, fixed, relative, automatic };
template <>
struct Words<RegularizationMode> {
  using enum RegularizationMode;
  static constexpr auto all = word_list<RegularizationMode>(
      {{off, "off"}, {fixed, "fixed"}, {relative, "relative"}, {automatic, "auto"}});
};

}  // namespace ritzflow
