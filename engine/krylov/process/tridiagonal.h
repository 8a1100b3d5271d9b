#pragma once
#include <Eigen/Core>
#include <span>
#include <vector>

namespace ritzflow::krylov {

/// Eigenvalues of the symmetric tridiagonal T with the first and the last component of each eigenvector.
struct TridiagonalEigen {
  std::vector<double> values;  ///< [m] ascending
  std::vector<double> first;   ///< [m] s_1 of each unit eigenvector: its square is the Gauss weight
  std::vector<double> last;    ///< [m] s_m: beta |s_m| is the residual estimate
};

/// Implicit QL with Wilkinson shifts on diagonal alpha [m] and subdiagonal beta [>= m-1], O(m^2): only two
/// rows of the eigenvector matrix are rotated along (Golub and Welsch, Math. Comp. 23, 1969; EISPACK's tql2).
/// Throws Error when an eigenvalue does not converge in 60 sweeps.
TridiagonalEigen tridiagonal_eigen(std::span<const double> alpha, std::span<const double> beta);

/// The same with whole eigenvectors, O(m^3).
struct SymmetricEigen {
  Eigen::VectorXd values;   ///< [m] ascending
  Eigen::MatrixXd vectors;  ///< [m, m] column i belongs to values[i]
};

/// T's own solver, because Eigen's solver gives up on some of the ghost-laden T that mode `off` makes.
SymmetricEigen tridiagonal_eigenvectors(std::span<const double> alpha, std::span<const double> beta);

/// Eigenpairs of a symmetric matrix, of which the lower triangle is read: Householder's reduction, then as
/// above.
SymmetricEigen symmetric_eigenvectors(const Eigen::MatrixXd& a);

}  // namespace ritzflow::krylov
