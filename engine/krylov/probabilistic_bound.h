#pragma once
#include <cstdint>
#include <span>

namespace ritzflow {

/// Upper bound of the spectrum with probability 1 - delta from T = tridiag(alpha, beta) [m] of a Lanczos run
/// that kept orthogonality, started at random on the unit sphere of R^n: the root x > theta_max of p_m(x) =
/// 1/d, d = delta sqrt(pi / (2n)), p_m the Lanczos polynomial (van Dorsselaer, Hochstenbach and van der
/// Vorst, SIAM J. Matrix Anal. Appl. 22:837, 2001).
double probabilistic_upper_bound(std::span<const double> alpha, std::span<const double> beta, double delta,
                                 int64_t n);

/// log p_m(x) / log(1/d): reaches 1 when x is an upper bound; -infinity at or below theta_max.
double progress_to_bound(std::span<const double> alpha, std::span<const double> beta, double delta, int64_t n,
                         double x);

}  // namespace ritzflow
