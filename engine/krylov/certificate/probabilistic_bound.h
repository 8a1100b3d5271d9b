#pragma once
#include <cstdint>
#include <vector>

#include "krylov/process/end.h"

namespace ritzflow::krylov {

/// T = tridiag(alpha, beta) [m] of a Lanczos run that kept orthogonality, started at random on the unit
/// sphere. A last beta of 0 ends the run at an invariant subspace; it may have been up to `breakdown` before
/// it was taken for rounding.
struct RandomStart {
  std::vector<double> alpha, beta;
  double breakdown = 0;

  /// The same run on the operator whose upper end this is: A or -A.
  RandomStart seen_from(End end) const;
};

/// Upper bound of the spectrum with probability 1 - delta, the start in R^n: the root x > theta_max of
/// p_m(x) = 1/d, d = delta sqrt(pi / (2n)), p_m the Lanczos polynomial (van Dorsselaer, Hochstenbach and van
/// der Vorst, SIAM J. Matrix Anal. Appl. 22:837, 2001). theta_max itself where the run spans all of R^n.
double probabilistic_upper_bound(const RandomStart& run, double delta, int64_t n);

/// The same from independent runs: all of r bounds that fail with probability delta^(1/r) each.
double probabilistic_upper_bound(const std::vector<RandomStart>& runs, double delta, int64_t n);

/// log p_m(x) / log(1/d): reaches 1 when x is an upper bound; -infinity at or below theta_max.
double progress_to_bound(const RandomStart& run, double delta, int64_t n, double x);

}  // namespace ritzflow::krylov
