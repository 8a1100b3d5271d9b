#pragma once
#include "krylov/process/factorization.h"
#include "krylov/process/tridiagonal.h"

namespace ritzflow::krylov {

/// Eigenpairs of the symmetric projected matrix of a factorization that keeps orthogonality or makes nothing
/// but the three-term recurrence: T without a restart, the arrow and its tridiagonal continuation after one.
/// Read from the diagonal, the subdiagonal and the spike; the recorded upper part differs from it by
/// rounding.
SymmetricEigen projected_eigen(const KrylovFactorization& f);

/// The same in long double, rounded once at the end: a restart repeats its error in every column that it
/// keeps.
SymmetricEigen projected_eigen_rounded_once(const KrylovFactorization& f);

/// The same with the first and last components only.
TridiagonalEigen projected_ends(const KrylovFactorization& f);

}  // namespace ritzflow::krylov
