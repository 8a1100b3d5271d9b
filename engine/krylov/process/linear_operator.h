#pragma once
#include <cstdint>

#include "core/vector.h"

namespace ritzflow::krylov {

/// A symmetric linear map A on R^n, known only through its products (matrix-free).
class LinearOperator {
 public:
  virtual ~LinearOperator() = default;

  /// Dimension n.
  virtual int64_t dim() const = 0;

  /// out <- A v. Both have length dim() and do not overlap. Deterministic: the same v gives the same bits.
  virtual void apply(VectorView v, VectorSpan out) = 0;
};

}  // namespace ritzflow::krylov
