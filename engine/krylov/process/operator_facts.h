#pragma once
#include <limits>

namespace ritzflow::krylov {

/// What the probes of an operator have measured, as far as runs and their evidence depend on it.
struct OperatorFacts {
  double norm = 0;                                          ///< ||A||, a lower estimate
  double noise = 0;                                         ///< of a product, relative to it
  double asymmetry = 0;                                     ///< |u'A v - v'A u| / ||A||
  double epsilon = std::numeric_limits<double>::epsilon();  ///< machine epsilon of the arithmetic of products
  bool is_psd = false;                                      ///< positive semi-definite by construction
};

}  // namespace ritzflow::krylov
