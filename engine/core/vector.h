#pragma once
#include <span>

namespace ritzflow {

/// A vector of R^n in float64; parameters, Krylov vectors and products all travel as these.
using VectorView = std::span<const double>;
using VectorSpan = std::span<double>;

}  // namespace ritzflow
