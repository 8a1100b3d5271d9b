#pragma once
#include <cstdint>

#include "krylov/process/linear_operator.h"

namespace ritzflow::curvature {

/// How far an operator is from a deterministic, linear, symmetric map. The first three are relative to `norm`
/// (absolute for a zero operator); u and v are random unit vectors.
struct Probes {
  double repeatability = 0;  ///< ||A v - A v|| of two products with the same v
  double additivity = 0;     ///< ||A (u + v) - A u - A v||
  double symmetry = 0;       ///< |u' A v - v' A u|
  double norm = 0;  ///< largest ||A v|| / ||v|| met in a few power iterations: a lower estimate of ||A||
};

/// Vectors that probe() holds during a product, beside the product's own two.
inline constexpr int64_t probe_vectors = 2;

/// Measures the probes with random vectors of `seed`, and with one near the dominant eigenvector (11
/// products). Throws Refusal if a product is not finite.
Probes probe(krylov::LinearOperator& op, uint64_t seed);

/// Throws Refusal where the probes show no symmetric linear map for arithmetic with unit roundoff `epsilon`:
/// repeatability above 10 epsilon, additivity or symmetry above sqrt(epsilon).
void require_symmetric_linear(const Probes& probes, double epsilon);

}  // namespace ritzflow::curvature
