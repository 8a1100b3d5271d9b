#pragma once
#include <limits>
#include <vector>

#include "krylov/process/end.h"
#include "krylov/process/wanted.h"

namespace ritzflow::krylov {

/// A deflated pair.
struct KnownValue {
  double value = 0;
  double residual = 0;  ///< noise included
  bool converged = false;
};

/// What a certificate knows at one end of the spectrum: values and bounds are as seen from it.
struct CertificateEnd {
  End side = End::upper;
  bool asked = false;                                           ///< whether `which` wants pairs at this end
  double threshold = -std::numeric_limits<double>::infinity();  ///< the wanted value that stands furthest
                                                                ///< inside; -infinity where some are missing
  double rest = -std::numeric_limits<double>::infinity();       ///< largest value of a companion;
                                                                ///< -infinity: none
  std::vector<double> converged;                                ///< values, ascending
  double coupling_square = 0;                                   ///< sum of squared residuals, >= ||R||^2
  double bound = std::numeric_limits<double>::infinity();       ///< of every eigenvalue that is
                                                                ///< not returned
  double progress = 0;                                          ///< to certification, 1 when it is reached
  bool certified = false;

  /// From u, the bound of the deflated operator: the larger eigenvalue of [[rest, ||R||], [||R||, u]], where
  /// every deflated value that does not lie above the bound counts as rest: it does not use up an eigenvalue
  /// beyond the bound, and its residual may lift another one. All of that is of A as its products are; A
  /// itself is within `slack` of it, and so are its eigenvalues (Weyl): the bound rises by it, and a deflated
  /// value uses up an eigenvalue of A only if it stands twice as far above. A tighter bound that was set
  /// before stays.
  void set_bound(double u, double goal, double slack);

  /// The u that is enough to certify.
  double enough(double goal, double slack) const;

 private:
  double lifted(double below, double u) const;
};

/// Both ends, given what has been deflated.
std::vector<CertificateEnd> certificate_ends(const std::vector<KnownValue>& known, Which which, int64_t k);

}  // namespace ritzflow::krylov
