#pragma once
#include <cstdint>
#include <vector>

#include "krylov/density/outliers.h"
#include "settings/lanczos_settings.h"

namespace ritzflow::krylov {

/// A quantity of the whole spectrum with bounds: quadrature error of every probe and Monte-Carlo error over
/// probes.
struct BoundedValue {
  double value = 0, lower = 0, upper = 0;
};

/// The spectral distribution, by stochastic Lanczos quadrature or exactly.
struct SpectralDensity {
  std::vector<double> grid;           ///< [g] ascending
  std::vector<double> cdf;            ///< [g] share of eigenvalues <= x
  std::vector<double> cdf_lower;      ///< [g]
  std::vector<double> cdf_upper;      ///< [g]
  std::vector<double> density;        ///< [g] mean of Gaussians of standard deviation `bandwidth`
  std::vector<double> density_lower;  ///< [g]
  std::vector<double> density_upper;  ///< [g]
  std::vector<double> outliers;       ///< descending: eigenvalues that are counted, not estimated
  double bandwidth = 0;
  double support_lower = 0;  ///< ends of the spectrum with probability 1 - delta
  double support_upper = 0;
  BoundedValue negative_fraction;  ///< of the eigenvalues; those within the noise of a product do not count
  BoundedValue negative_mass;      ///< sum |lambda < 0| / sum |lambda|
};

/// DensitySettings, and what is known of the operator and its runs.
struct DensityOptions {
  int64_t n = 0;  ///< dimension of the operator
  int64_t grid_points = DensitySettings().grid_points;
  double bandwidth = DensitySettings().bandwidth;  ///< 0: a hundredth of the range (density_grid.h)
  double deviations = DensitySettings().deviations;
  double delta = DensitySettings().delta;
  bool semidefinite = false;  ///< the operator has no negative eigenvalue by construction
  double widening = 0;        ///< of the quadrature bounds of every probe: > 0 where a run lost orthogonality
};

/// Psi_v(x) = sum_i (u_i'v)^2 [lambda_i <= x] of a unit probe v lies between the weights of the nodes before
/// the last one up to x and those up to the next one above x (Chebyshev, Markov, Stieltjes), weights s_1i^2.
/// The c outliers (outliers.h) count 1/n each; of the n - c other eigenvalues the mean over probes has
/// variance 2 P (1 - P) / ((n - c + 2) probes) about their share P up to x, and the band holds every P within
/// `deviations` of it (Wilson's score interval). The negative mass and the smoothed density integrate the
/// band: sum |lambda < 0| / n is the integral of the share over x < 0, and the density the integral of share
/// * -d/dlambda of the Gaussian at x - lambda.
///
/// Probes see A + E with ||E|| <= slack, the noise of a product, and eigenvalues of A lie within slack of
/// what they see (Weyl): P(x) is at least the lower bound of the share up to x - slack and at most the upper
/// one up to x + slack. Throws InputError without a probe.
SpectralDensity spectral_density(const std::vector<ProbeRun>& probes, const DensityOptions& options);

}  // namespace ritzflow::krylov
