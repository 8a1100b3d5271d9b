#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "curvature/kfac/kfac_factors.h"
#include "curvature/operators/restriction.h"
#include "model/autodiff/param_space.h"

namespace ritzflow::curvature {

/// Which function of K is meant, K = A (x) G or with the second moments of EKFAC: (K + damping I)^power.
struct KroneckerPower {
  bool ekfac = false;
  double damping = 0;
  double power = 1;

  /// K itself, which is applied without its eigenbasis.
  bool is_product() const { return !ekfac && damping == 0 && power == 1; }
};

/// (lambda + damping)^power, element by element. Throws InputError where that does not exist.
at::Tensor of_power(const at::Tensor& lambda, const KroneckerPower& power);

/// The block of one layer as a map of the flat vector. K itself is applied as G W A: two matrix products.
/// EKFAC, damping and powers are applied in the eigenbasis, U_G (Lambda o (U_G' W U_A)) U_A': four, with
/// Lambda held beside the eigenvectors.
class KroneckerBlock {
 public:
  /// Throws InputError where the layer does not fit `space`, lacks the second moments that are asked for, or
  /// the power does not exist.
  KroneckerBlock(const KroneckerLayer& layer, const model::ParamSpace& space, const KroneckerPower& power);

  const std::string& name() const { return name_; }

  /// Those of W, ascending.
  std::vector<IndexRange> coordinates() const;

  /// Writes the block's part of `out` from its part of `v`, both flat [n].
  void apply(const at::Tensor& v, const at::Tensor& out) const;

  /// Lambda [out, in] of the power.
  at::Tensor eigenvalues() const;

  /// U_A and U_G, to which Lambda belongs; an undefined U_A is the identity.
  struct Eigenvectors {
    at::Tensor u_a, u_g;
  };
  Eigenvectors eigenvectors() const;

  /// Writes the elements of W [out, in] to the flat vector x [n].
  void write(const at::Tensor& w, const at::Tensor& x) const;

  /// Numbers that are held: of the factors or their eigenvectors, and of Lambda.
  int64_t numbers() const;

 private:
  /// A piece of W as a strided view of the flat vector.
  struct Piece {
    std::vector<int64_t> sizes, strides;
    int64_t offset;
  };

  std::vector<at::Tensor> views(const at::Tensor& flat) const;
  void apply(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to) const;
  void apply_factors(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to) const;
  void apply_in_eigenbasis(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to) const;
  void apply_in_eigenbasis_of_g(const std::vector<at::Tensor>& from, const std::vector<at::Tensor>& to) const;

  std::string name_;
  model::LayerKind kind_;
  std::vector<Piece> pieces_;
  at::Tensor a_values_, g_values_;
  at::Tensor lambda_;  ///< undefined where K itself is applied
  at::Tensor a_,
      g_;  ///< eigenvectors, U_A undefined for the identity; of K itself A and G, a diagonal A [in]
};

}  // namespace ritzflow::curvature
