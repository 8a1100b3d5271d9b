#pragma once
#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <vector>

#include "krylov/basis/basis.h"
#include "krylov/process/linear_operator.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow::krylov {

/// The Krylov relation A Q' = Q' H + beta q e_m' (rows of Q are vectors). It holds to rounding in **every**
/// mode, because each subtracted coefficient is recorded in H (Stewart, UMIACS-TR-2001-31). Without restarts
/// m is the number of products; after one, H is the compressed matrix: diag(theta_1..theta_l), row l =
/// `spike` left of its diagonal (an arrow), and the tridiagonal continuation.
struct KrylovFactorization {
  std::vector<std::vector<double>> columns;  ///< column j of H, rows 0..j (upper part and diagonal)
  std::vector<double> beta;                  ///< [m] subdiagonal of H; beta[m-1] is the final residual norm
  std::vector<double> residual_vector;       ///< [n] the next basis vector q, of unit length
  std::vector<double> spike;  ///< [l] H_(l,0..l-1) >= 0 after a restart, 0 where a pair is locked
  double norm_estimate =
      0;                   ///< largest ||A q_j|| of the unit vectors q_j so far: not above ||A|| in any mode
  int64_t products = 0;    ///< products spent; size() where nothing was compressed
  bool exhausted = false;  ///< an invariant subspace: no further direction exists or is found

  int64_t size() const { return static_cast<int64_t>(columns.size()); }
  double alpha(int64_t j) const { return columns[static_cast<size_t>(j)].back(); }
  std::vector<double> alphas() const;
  Eigen::MatrixXd H() const;  ///< [m, m]
};

/// Below this multiple of ||A|| a new direction is rounding noise: the basis spans an invariant subspace.
double breakdown_level(int64_t n);

/// Builds a KrylovFactorization one product at a time.
class LanczosProcess {
 public:
  /// Starts from `start` [n] (normalised here; a zero or non-finite vector is an InputError). `seed` keys the
  /// fresh directions that mode `full` draws after an invariant subspace. `keep_all` holds all rows although
  /// the mode does not read them.
  LanczosProcess(LinearOperator& op, VectorView start, Reorthogonalization mode, uint64_t seed,
                 bool keep_all = false);

  /// The same with the rows in `basis`, empty yet, which keeps those that the mode reads.
  LanczosProcess(LinearOperator& op, VectorView start, Reorthogonalization mode, uint64_t seed,
                 std::unique_ptr<Basis> basis);

  /// Resumes from a state: `basis` holds the rows that the mode reads (all of them with keep_all), numbered
  /// as in the run that was interrupted. The continuation is bit-identical to an uninterrupted run.
  LanczosProcess(LinearOperator& op, Reorthogonalization mode, uint64_t seed, KrylovFactorization state,
                 std::unique_ptr<Basis> basis);

  /// One product. Returns false, and does nothing, once the relation is exhausted.
  /// Throws InputError if the product has a NaN or an infinity.
  bool step();

  const KrylovFactorization& factorization() const { return factorization_; }
  const Basis& basis() const { return *basis_; }

  /// The rows, for who needs them and no further step: the last call of a process.
  std::unique_ptr<Basis> take_basis() { return std::move(basis_); }

 private:
  void continue_behind_invariant_subspace(VectorSpan w);

  LinearOperator& operator_;
  Reorthogonalization mode_;
  uint64_t seed_;
  std::unique_ptr<Basis> basis_;
  std::vector<double> q_;  ///< the newest row
  KrylovFactorization factorization_;
};

}  // namespace ritzflow::krylov
