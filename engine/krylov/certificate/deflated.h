#pragma once
#include <vector>

#include "krylov/process/linear_operator.h"

namespace ritzflow::krylov {

/// B = (I - XX') A (I - XX') with orthonormal X, to which vectors are added one by one.
class Deflated final : public LinearOperator {
 public:
  explicit Deflated(LinearOperator& op) : operator_(op), inner_(static_cast<size_t>(op.dim())) {}

  int64_t dim() const override { return operator_.dim(); }
  void apply(VectorView v, VectorSpan out) override;

  /// w <- (I - XX') w.
  void project(VectorSpan w) const;

  /// Adds the direction of unit x outside the span of X; false where most of x lies inside.
  bool add(VectorView x);

  /// Vectors in X.
  int64_t size() const { return static_cast<int64_t>(vectors_.size()); }

 private:
  LinearOperator& operator_;
  std::vector<double> inner_;
  std::vector<std::vector<double>> vectors_;
  std::vector<const double*> rows_;
};

}  // namespace ritzflow::krylov
