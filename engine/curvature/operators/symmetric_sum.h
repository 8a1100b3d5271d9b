#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace ritzflow::curvature {

/// A sum of symmetric matrices X' diag(w) X as strips of rows from the diagonal on: little more than half of
/// the arithmetic and of the memory of the whole. A diagonal matrix is one strip [n]. Empty: nothing was
/// added yet.
using SymmetricSum = std::vector<at::Tensor>;

/// sum += X' diag(w) X, X [rows, n] in its own dtype; an undefined w is 1.
void add_outer_products(SymmetricSum& sum, const at::Tensor& x, const at::Tensor& w = {});

/// sum += part, in float64.
void add_to_total(SymmetricSum& sum, const SymmetricSum& part);

/// All of the matrix [n, n], of strips that are not a diagonal.
at::Tensor symmetric_matrix(const SymmetricSum& sum);

}  // namespace ritzflow::curvature
