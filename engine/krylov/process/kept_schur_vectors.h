#pragma once
#include <Eigen/Core>

#include "krylov/process/factorization.h"
#include "krylov/process/wanted.h"

namespace ritzflow::krylov {

/// H Z = Z R with orthonormal Z [m, l] and upper triangular R [l, l].
struct KeptSchurVectors {
  Eigen::MatrixXd z, r;
};

/// The l Schur vectors of H that a restart keeps, the wanted ones first (Stewart, A Krylov-Schur algorithm
/// for large eigenproblems, SIMAX 23:601, 2001). H differs from the symmetric T of projected_eigen() by the
/// coefficients D above its diagonal that orthogonalisation found, some eps ||A||. With T V = V Theta and E =
/// V'D V the Schur vectors are V (I + K) to first order, K antisymmetric, k_ij = e_ij / (theta_j - theta_i)
/// below the diagonal: without them a restart would lose E from the relation. Signs are such that the last
/// component of each vector is not negative. Vectors that are locked stay as they are.
KeptSchurVectors kept_schur_vectors(const KrylovFactorization& f, Which which, int64_t l);

}  // namespace ritzflow::krylov
