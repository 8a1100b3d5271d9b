#pragma once
#include <cstdint>
#include <string>

#include "krylov/process/linear_operator.h"

namespace ritzflow::curvature {

/// ||A - B||_F / ||B||_F with a standard error; 0 where every column was formed.
struct FrobeniusError {
  double value = 0;
  double standard_error = 0;
};

/// By all n columns: two products a column.
FrobeniusError frobenius_error(krylov::LinearOperator& a, krylov::LinearOperator& b);

/// With `probes` random vectors v of signs, by E ||M v||^2 = ||M||_F^2 (Hutchinson); the standard error is
/// the jackknife's. `purpose` names their stream.
FrobeniusError estimated_frobenius_error(krylov::LinearOperator& a, krylov::LinearOperator& b, int64_t probes,
                                         uint64_t seed, const std::string& purpose);

}  // namespace ritzflow::curvature
