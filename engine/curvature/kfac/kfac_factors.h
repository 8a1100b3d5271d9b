#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "curvature/operators/restriction.h"
#include "model/autodiff/param_space.h"
#include "model/autodiff/taps.h"

namespace ritzflow::curvature {

/// The block A (x) G of one layer in its eigenbasis. Its vectors are matrices W [out, in],
///   linear, convolution   [weight as [out, -1], bias as the last column];
///   embedding             the table transposed: `in` are its rows;
///   norm                  [scale; shift] as one column, or the scale alone: `in` = 1;
/// and it maps W to G W A = U_G (Lambda o (U_G' W U_A)) U_A', Lambda_oi = g_o a_i; in EKFAC Lambda is free.
/// A layer may be a part of such a matrix: of a fused query, key and value, or of a layer whose factors are
/// too wide for one eigendecomposition and are kept as diagonal blocks.
struct KroneckerLayer {
  std::string name;
  model::LayerKind kind = model::LayerKind::linear;
  std::vector<std::string> parameters;  ///< weight first
  /// Where W is not made of whole parameters: pieces of them by their place in `parameters`.
  std::vector<model::Piece> pieces;
  bool tied = false;     ///< a tied table in its use as the output layer alone
  bool is_part = false;  ///< of W: out() rows from first_row on, in() columns from first_column
  int64_t first_row = 0, first_column = 0;
  at::Tensor a_eigenvalues;   ///< [in] float64, ascending, >= 0
  at::Tensor a_eigenvectors;  ///< [in, in], a column an eigenvector; undefined: the identity
  at::Tensor g_eigenvalues, g_eigenvectors;
  at::Tensor ekfac_eigenvalues;  ///< [out, in] >= 0; undefined where they were not collected

  int64_t in() const { return a_eigenvalues.size(0); }
  int64_t out() const { return g_eigenvalues.size(0); }
  IndexRange rows() const { return {first_row, out()}; }
  IndexRange columns() const { return {first_column, in()}; }
};

struct KroneckerFactors {
  std::vector<KroneckerLayer> layers;
};

/// Lambda [out, in] of a layer: g_o a_i, or the second moments of EKFAC. Throws InputError if those are
/// wanted and missing.
at::Tensor layer_eigenvalues(const KroneckerLayer& layer, bool ekfac);

/// The layer's W as views of the flat vector [n], to be joined by join_pieces(); of a part its rows and
/// columns. Throws InputError where the model has no such parameter, or W is of another shape than the
/// factors.
std::vector<at::Tensor> layer_pieces(const KroneckerLayer& layer, const model::ParamSpace& space,
                                     const at::Tensor& flat);

/// W from its pieces, a view where there is one; and W written to them.
at::Tensor join_pieces(model::LayerKind kind, const std::vector<at::Tensor>& pieces);
void write_pieces(model::LayerKind kind, const at::Tensor& w, const std::vector<at::Tensor>& pieces);

/// Eigenvalues (ascending, those below 0 by rounding set to 0) and eigenvectors of a symmetric positive
/// semi-definite float64 matrix.
struct Eigenpairs {
  at::Tensor values, vectors;
};
Eigenpairs eigenpairs(const at::Tensor& matrix);

}  // namespace ritzflow::curvature
