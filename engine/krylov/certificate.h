#pragma once
#include <limits>
#include <span>
#include <vector>

#include "krylov/evidence.h"

namespace ritzflow {

struct CertificateOptions {
  int64_t k = 10;
  Which which = Which::largest;
  double tol = 1e-8;     ///< of a missed pair before it is locked
  double delta = 1e-6;   ///< probability that a bound fails
  int64_t budget = 100;  ///< products at most
  uint64_t seed = 0;     ///< of the fresh start vectors
  double norm_a = 0;     ///< estimate of ||A||
  double noise = 0;      ///< relative noise of a product
};

/// What is known of the eigenvalues that were not returned. An end that `which` does not ask for is not
/// certified and its bound is infinite.
struct Certificate {
  bool certified_largest = false;   ///< no eigenvalue above the wanted ones was missed
  bool certified_smallest = false;  ///< the same at the lower end
  double upper_bound = std::numeric_limits<double>::infinity();  ///< of every eigenvalue not among the pairs
                                                                 ///< and `found`, with probability 1 - delta
  double lower_bound = -std::numeric_limits<double>::infinity();
  std::vector<RitzPair> found;      ///< wanted pairs that were missed, true residuals included
  std::vector<double> alpha, beta;  ///< T of the last round
  int64_t calls = 0;                ///< products, those for residuals of `found` included
};

/// Deflates the converged pairs X, starts Lanczos on (I - XX')A(I - XX') from a fresh random vector and
/// bounds its spectrum (van Dorsselaer, Hochstenbach and van der Vorst, SIAM J. Matrix Anal. Appl. 22:837,
/// 2001). A wanted pair that shows up is locked, and a new round begins; it ends when the bounds are inside
/// the wanted values or the budget is spent. By Courant and Fischer the bound holds although X is not exact:
/// no more eigenvalues than there are vectors in X exceed it. Holds at most `budget` + 3 rows and the pairs.
Certificate certify(LinearOperator& op, const std::vector<RitzPair>& pairs,
                    const CertificateOptions& options);

/// Upper bound of the spectrum with probability 1 - delta from T = tridiag(alpha, beta) [m] of a Lanczos run
/// that kept orthogonality, started at random on the unit sphere of R^n: the root x > theta_max of p_m(x) =
/// 1/d, d = delta sqrt(pi / (2n)), p_m the Lanczos polynomial.
double probabilistic_upper_bound(std::span<const double> alpha, std::span<const double> beta, double delta,
                                 int64_t n);

}  // namespace ritzflow
