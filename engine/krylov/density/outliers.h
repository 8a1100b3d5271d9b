#pragma once
#include <cmath>
#include <vector>

#include "krylov/density/probe_run.h"
#include "krylov/density/quadrature.h"

namespace ritzflow::krylov {

/// Eigenvalues that are known one by one, with their copies: all that lie outside [lower, upper].
struct Outliers {
  std::vector<Outlier> values;
  double lower = -HUGE_VAL, upper = HUGE_VAL;
  double leaning = 0;  ///< error of a probe's weight outside [lower, upper], to first order
};

/// The outliers of both ends that some run's certificate counts and that every run shows converged. The
/// weight of node i is that of its eigenspace up to 2 sqrt(w_i) residual / gap (Davis and Kahan), so that
/// the others, divided by the weight that is left, are the quadrature of the probe's part orthogonal to the
/// outliers' eigenvectors: a uniform probe of the deflated operator.
Outliers find_outliers(const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules);

}  // namespace ritzflow::krylov
