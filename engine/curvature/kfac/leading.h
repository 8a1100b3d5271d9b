#pragma once
#include <cstdint>
#include <vector>

#include "curvature/kfac/kfac_spectrum.h"
#include "curvature/operators/matrix.h"
#include "krylov/process/linear_operator.h"

namespace ritzflow::curvature {

/// The whole matrix, column by column, made symmetric: (A + A')/2.
Matrix dense_matrix(krylov::LinearOperator& op);

/// The k leading eigenpairs of a dense matrix, every copy of a multiple eigenvalue among them.
std::vector<Eigenpair> leading_of_matrix(const Matrix& matrix, int64_t k);

/// The k leading eigenpairs by Lanczos with full reorthogonalisation, at most `max_iters` products. A
/// multiple eigenvalue shows one copy.
std::vector<Eigenpair> leading_by_lanczos(krylov::LinearOperator& op, int64_t k, int64_t max_iters);

/// Leading eigenpairs of two operators A and B side by side.
struct LeadingComparison {
  std::vector<double> relative_errors;   ///< |a_i - b_i| / |b_i|, rank by rank
  std::vector<double> principal_angles;  ///< radians, ascending, between the spans of the vectors
  double overlap = 0;                    ///< mean squared cosine of them: 1 for equal spans
};

/// Of both lists, as many as the shorter one has.
LeadingComparison compare_leading(std::vector<Eigenpair> a, std::vector<Eigenpair> b);

}  // namespace ritzflow::curvature
