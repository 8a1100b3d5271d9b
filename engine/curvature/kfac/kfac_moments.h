#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "curvature/operators/restriction.h"
#include "curvature/operators/symmetric_sum.h"
#include "model/autodiff/taps.h"
#include "settings/choices.h"

namespace ritzflow::curvature {

/// One tap of one micro-batch of N samples. The block's matrix form is W = [weight, bias] with gradient
/// sum_r g_r a_r' of a sample, and shapes
///   a [N, R, in]   inputs, followed by a 1 (of each group) where there is a bias; of an embedding the
///                  indices [N, R], those below 0 being no use of the table;
///   g [N, R, out]  gradient with respect to the output, for one cotangent at a time.
/// A norm's W is the column [scale; shift], or the scale alone: `in` is 1, and G is the block itself.
class TapMoments {
 public:
  /// `weights` [N R'] are those of the samples' terms of the loss, R' a sample; `positions` of the layer that
  /// are such terms (R = R') have their weight, else a sample's weight is spread evenly over its positions.
  TapMoments(const model::Tap& tap, const at::Tensor& weights, int64_t samples, WeightSharing sharing,
             int64_t table_rows);

  /// sum += sum_n sum_r w_nr a a' (expand), or sum_n w_n mean(a) mean(a)' (reduce), of the inputs `columns`.
  /// Of an embedding, whose a are unit vectors and which is always expanded, the diagonal [in].
  void add_inputs(SymmetricSum& sum, const IndexRange& columns) const;

  /// g of a cotangent: [N, R, out], of a norm [N, 1, out] with the gradients of scale and shift.
  /// `gradient` has the shape of the tap's output.
  at::Tensor output_gradient(const at::Tensor& gradient) const;

  /// sum += sum_n sum_r g g' (expand), or sum_n (sum_r g)(sum_r g)' (reduce), of g as above.
  void add_outputs(SymmetricSum& sum, const at::Tensor& g) const;

  /// a U_A of the inputs `columns`, for add_second_moment(); an undefined U_A is the identity.
  at::Tensor rotated_inputs(const IndexRange& columns, const at::Tensor& u_a) const;

  /// sum [out, in] += sum_n (U_G' (sum_r g a') U_A)^2, element by element, of rotated g and a.
  void add_second_moment(at::Tensor& sum, const at::Tensor& g, const at::Tensor& a) const;

 private:
  /// `a` with a 1 after the inputs of each group.
  at::Tensor with_ones(const at::Tensor& a, int64_t groups) const;
  void add_table_second_moment(at::Tensor& sum, const at::Tensor& g) const;

  model::LayerKind kind_;
  bool bias_;
  WeightSharing sharing_;
  int64_t samples_, table_rows_;
  at::Tensor a_;
  at::Tensor weights_;  ///< [N, R]
};

}  // namespace ritzflow::curvature
