#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/param_space.h"
#include "model/taps.h"

namespace ritzflow {

/// The block A (x) G of one layer in its eigenbasis. Its vectors are matrices W [out, in],
///   linear, convolution   [weight as [out, -1], bias as the last column];
///   embedding             the table transposed: `in` are its rows;
///   norm                  [scale; shift] as one column: `in` = 1;
/// and it maps W to G W A = U_G (Lambda o (U_G' W U_A)) U_A', Lambda_oi = g_o a_i; in EKFAC Lambda is free.
struct KroneckerLayer {
  std::string name;
  LayerKind kind = LayerKind::linear;
  std::vector<std::string> parameters;  ///< weight first
  bool tied = false;                    ///< a tied table in its use as the output layer alone
  int64_t first_row = 0;      ///< of a fused weight and bias, from which on out() rows are this layer's
  bool is_part = false;       ///< the layer is such a part
  at::Tensor a_eigenvalues;   ///< [in] float64, ascending, >= 0
  at::Tensor a_eigenvectors;  ///< [in, in], a column an eigenvector; undefined: the identity
  at::Tensor g_eigenvalues, g_eigenvectors;
  at::Tensor ekfac_eigenvalues;  ///< [out, in] >= 0; undefined where they were not collected

  int64_t in() const { return a_eigenvalues.size(0); }
  int64_t out() const { return g_eigenvalues.size(0); }
};

/// How much of a model its Kronecker factors cover.
struct Coverage {
  int64_t covered_parameters = 0, total_parameters = 0;
  int64_t covered_elements = 0, total_elements = 0;
  std::vector<std::string> missing;

  /// "covered 4 of 4 parameters (100.0 %), 10 of 10 elements (100.0 %)", and the missing names.
  std::string text() const;
};

struct KroneckerFactors {
  std::vector<KroneckerLayer> layers;
};

/// The parameters' tensors of a layer, of all those of the model: of a part its rows. Throws InputError where
/// the model has no such parameter or too few rows.
ParamTensors layer_tensors(const KroneckerLayer& layer, const ParamSpace& space, const ParamTensors& all);

Coverage coverage(const KroneckerFactors& factors, const ParamSpace& space);

/// Lambda [out, in] of a layer: g_o a_i, or the second moments of EKFAC. Throws InputError if those are
/// wanted and missing.
at::Tensor layer_eigenvalues(const KroneckerLayer& layer, bool ekfac);

/// W [out, in] of `layer` from the parameters' tensors, in the order of `layer.parameters`, and back into
/// them.
at::Tensor to_matrix(LayerKind kind, const ParamTensors& parameters);
void from_matrix(LayerKind kind, const at::Tensor& w, const ParamTensors& parameters);

/// Eigenvalues (ascending, those below 0 by rounding set to 0) and eigenvectors of a symmetric positive
/// semi-definite float64 matrix.
struct Eigenpairs {
  at::Tensor values, vectors;
};
Eigenpairs eigenpairs(const at::Tensor& matrix);

}  // namespace ritzflow
