#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "curvature/kfac/kfac_block.h"
#include "curvature/kfac/kfac_coverage.h"
#include "curvature/kfac/kfac_factors.h"
#include "curvature/operators/restriction.h"
#include "krylov/process/linear_operator.h"
#include "settings/choices.h"

namespace ritzflow::curvature {

struct KroneckerOptions {
  KroneckerPower of = {};  ///< K
  Uncovered uncovered = Uncovered::refuse;
};

/// (K + damping I)^power with K = block diagonal of A (x) G over the layers (KroneckerBlock), never formed: K
/// is positive semi-definite, and with all eigenpairs at hand so is every power of K + damping I.
class KroneckerOperator : public krylov::LinearOperator {
 public:
  /// `uncovered_block` acts on the parameters without factors, in their order, for Uncovered::exact_ggn.
  /// Throws Refusal that names them for Uncovered::refuse, InputError where layers do not fit `space`, the
  /// damping is negative, or the power does not exist.
  KroneckerOperator(const KroneckerFactors& factors, const model::ParamSpace& space,
                    const KroneckerOptions& options,
                    std::unique_ptr<krylov::LinearOperator> uncovered_block = nullptr);

  int64_t dim() const override { return n_; }
  void apply(VectorView v, VectorSpan out) override;

  /// Whether all eigenpairs are known: not where the exact Gauss-Newton block is a part of the operator.
  bool has_closed_form() const { return !uncovered_block_; }

  const std::vector<KroneckerBlock>& blocks() const { return blocks_; }

  /// Coordinates without factors, and the eigenvalue of all of them where there is a closed form.
  const std::vector<IndexRange>& missing() const { return missing_; }
  double missing_value() const { return missing_value_; }

 private:
  void apply_uncovered(VectorView v, VectorSpan out);

  int64_t n_;
  std::vector<KroneckerBlock> blocks_;
  std::vector<IndexRange> missing_;
  double missing_value_ = 0;  ///< of zero and identity, of the power
  std::unique_ptr<krylov::LinearOperator> uncovered_block_;
};

}  // namespace ritzflow::curvature
