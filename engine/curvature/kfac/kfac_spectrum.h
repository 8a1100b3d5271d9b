#pragma once
#include <cstdint>
#include <vector>

#include "curvature/kfac/kfac.h"

namespace ritzflow::curvature {

/// An eigenvalue, its vector of unit length, and ||A x - theta x||: 0 where they are known in closed form.
struct Eigenpair {
  double value = 0;
  double residual = 0;
  std::vector<double> vector;
};

/// All n eigenvalues of a K-FAC operator, descending: the elements of the blocks' Lambda. Throws
/// std::invalid_argument without a closed form, as the next.
std::vector<double> closed_form_spectrum(const KroneckerOperator& op);

/// Its k leading eigenpairs, copies of multiple eigenvalues included.
std::vector<Eigenpair> leading_in_closed_form(const KroneckerOperator& op, int64_t k);

/// The k leading eigenpairs of block number `block`, vectors of length n.
std::vector<Eigenpair> leading_of_block(const KroneckerOperator& op, size_t block, int64_t k);

}  // namespace ritzflow::curvature
