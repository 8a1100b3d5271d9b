#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "curvature/kfac.h"
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

/// k leading eigenpairs by Lanczos with full reorthogonalisation, at most `max_iters` products.
std::vector<Eigenpair> leading_by_lanczos(LinearOperator& op, int64_t k, int64_t max_iters);

/// Leading eigenpairs of two operators A and B side by side.
struct LeadingComparison {
  std::vector<double> relative_errors;   ///< |a_i - b_i| / |b_i|, rank by rank
  std::vector<double> principal_angles;  ///< radians, ascending, between the spans of the vectors
  double overlap = 0;                    ///< mean squared cosine of them: 1 for equal spans
};

/// Of both lists, as many as the shorter one has.
LeadingComparison compare_leading(std::vector<Eigenpair> a, std::vector<Eigenpair> b);

}  // namespace ritzflow
