#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "curvature/restriction.h"
#include "krylov/linear_operator.h"

namespace ritzflow {

/// ||(A - B) restricted||_F / ||B restricted||_F with a standard error; 0 where every column was formed.
struct FrobeniusError {
  double value = 0;
  double standard_error = 0;
};

/// A set of coordinates with a name: a layer.
struct NamedRanges {
  std::string name;
  std::vector<Range> ranges;
};

struct FrobeniusComparison {
  bool exact = false;  ///< every column was formed; else Hutchinson's estimate
  FrobeniusError whole;
  std::vector<FrobeniusError> parts;  ///< of the principal sub-blocks
};

/// Compares A with the reference B in the Frobenius norm, as a whole and on principal sub-blocks. Up to
/// `exact_below` dimensions by all n columns; else with `probes` random vectors v of signs, by E ||M v||^2 =
/// ||M||_F^2 (Hutchinson), and as many for each part. Costs two products a vector.
FrobeniusComparison compare_frobenius(LinearOperator& a, LinearOperator& b,
                                      const std::vector<NamedRanges>& parts, int64_t exact_below,
                                      int64_t probes, uint64_t seed);

/// Leading eigenpairs of two operators side by side.
struct LeadingComparison {
  std::vector<double> eigenvalues, reference;  ///< descending
  std::vector<double> residuals, reference_residuals;
  std::vector<double> relative_errors;   ///< |a_i - b_i| / b_i, rank by rank
  std::vector<double> principal_angles;  ///< radians, ascending, between the spans of the k leading vectors
  double overlap = 0;                    ///< mean squared cosine of them: 1 for equal spans
};

/// k leading eigenpairs of each by Lanczos with full reorthogonalisation, at most `max_iters` products.
LeadingComparison compare_leading(LinearOperator& a, LinearOperator& b, int64_t k, int64_t max_iters);

}  // namespace ritzflow
