#pragma once
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "krylov/certificate/probabilistic_bound.h"
#include "krylov/process/linear_operator.h"
#include "krylov/process/wanted.h"
#include "krylov/ritz/ritz_pair.h"

namespace ritzflow::krylov {

struct CertificateOptions {
  int64_t k = 10;
  Which which = Which::largest;
  double tol = 1e-8;       ///< of a missed pair before it is locked
  double delta = 1e-6;     ///< probability that any bound fails: shared by rounds and ends
  int64_t budget = 100;    ///< products at most
  int64_t rows = 1 << 30;  ///< Lanczos vectors at most
  uint64_t seed = 0;       ///< of the fresh start vectors
  std::string draw = {};   ///< keys them beside the seed, where the run itself did not start at random
  double norm_a = 0;       ///< estimate of ||A||
  double noise = 0;        ///< relative noise of a product
  double epsilon = std::numeric_limits<double>::epsilon();  ///< of the arithmetic of products

  /// For the Lanczos vectors of a round; empty: host memory.
  std::function<std::unique_ptr<Basis>()> new_basis = {};
};

/// What is known of the eigenvalues that were not returned.
struct Certificate {
  bool certified_largest = false;   ///< no eigenvalue above the wanted ones was missed
  bool certified_smallest = false;  ///< the same at the lower end; false where
                                    ///< no such pairs are wanted
  double upper_bound =
      std::numeric_limits<double>::infinity();  ///< of every eigenvalue not among the wanted
                                                ///< pairs and `found`, with probability at least 1 - delta
  double lower_bound = -std::numeric_limits<double>::infinity();
  std::vector<RitzPair> found;      ///< wanted pairs that were missed, true residuals included
  std::vector<double> alpha, beta;  ///< T of the last round
  int64_t calls = 0;                ///< products, those for residuals of `found` included
  bool hopeless = false;            ///< ended early: the bound falls too slowly for the budget
  bool out_of_rows = false;         ///< ended early: the last round has all the vectors that it may hold
  bool stopped = false;             ///< keep_going() said no

  /// Whether each end that holds wanted pairs is certified.
  bool certifies(Which which, int64_t k) const {
    const bool upper = which != Which::smallest;
    const bool lower = which != Which::largest && (which != Which::both || k > 1);
    return (!upper || certified_largest) && (!lower || certified_smallest);
  }
};

/// Deflates X, the converged among `pairs` and the unconverged ones as companions, starts Lanczos on
/// B = (I - XX')A(I - XX') from a fresh random vector and bounds the spectrum of B by u. A wanted pair that
/// shows up is locked, and a new round begins; it ends when the bounds lie inside the wanted values, the
/// budget is spent, or at three times the rate of the last steps would not do. Companions that lean on what
/// is found, or whose coupling leaves no room for the bound, are dropped.
///
/// X need not be exact. With R = A X - X Theta, the inertia of A - c equals those of B - c and of its Schur
/// complement (Haynsworth), so that for c > u no more eigenvalues of A exceed c than there are theta_i >
/// c - ||R||^2 / (c - u): every eigenvalue that is not returned is at most the c > u at which the largest
/// theta that does not lie above c equals this. Where a round spans an invariant subspace, in which
/// eigenvalues closer than rounding cannot be told from one, further independent ones follow. Companions take
/// the neighbours of the wanted values out of B, and the bound is found in fewer products. Holds at most
/// `rows` + 3 vectors beside X.
Certificate certify(
    LinearOperator& op, const std::vector<RitzPair>& pairs, const CertificateOptions& options,
    const std::function<bool(int64_t calls)>& keep_going = [](int64_t) { return true; });

}  // namespace ritzflow::krylov
