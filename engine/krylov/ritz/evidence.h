#pragma once
#include <limits>
#include <vector>

#include "krylov/process/wanted.h"
#include "krylov/ritz/ritz_candidate.h"
#include "krylov/ritz/ritz_pair.h"

namespace ritzflow::krylov {

struct RitzEvidence {
  std::vector<RitzPair> pairs;             ///< descending by value: k wanted, and what was met among them
  std::vector<double> naive_eigenvalues;   ///< the k wanted eigenvalues of T as they stand, copies included
  int64_t naive_ghosts = 0;                ///< of these, how many belong to no returned eigenpair
  std::vector<double> orthogonality_loss;  ///< [m] max_(i<j) |q_i' q_j|; empty where no rows are held
  double ritz_min = 0, ritz_max = 0;       ///< inner bounds of the spectrum: extreme Ritz values, or Rayleigh
                                           ///< quotients where the mode lets Ritz values leave it
  int64_t operator_calls = 0;
  double norm_a = 0;  ///< that of the options, raised by norm_with()
};

struct EvidenceOptions {
  int64_t k = 10;
  Which which = Which::largest;
  double tol = 1e-8;
  double norm_a = 0;  ///< estimate of ||A||
  double noise = 0;   ///< relative noise of a product: a floor of every interval
  double epsilon = std::numeric_limits<double>::epsilon();  ///< of the arithmetic of products
  /// Takes the vectors of pairs as rows where they shall not stay in memory, 2 k of them and more; else null.
  Basis* shelf = nullptr;
};

/// The wanted pairs of all ends and what was met among them (candidate_pool.h), formed from all rows of
/// `basis`, with `residual` as estimated: no product is spent. Verdicts are all but `converged`.
std::vector<RitzPair> wanted_pairs(const std::vector<RitzCandidate>& candidates, const Combinations& basis,
                                   Which which, int64_t k, Basis* shelf = nullptr);

/// `norm_a`, an estimate of ||A|| from below, or a larger one that a pair shows: |x'A x|, or the magnitude of
/// the eigenvalue within its residual.
double norm_with(const std::vector<RitzPair>& pairs, double norm_a);

/// Derives the interval theta -+ (residual + noise) of a pair, and whether it meets the goal. The residual is
/// that of a noisy product, which puts the noise into it.
void judge_pair(const EvidenceOptions& options, RitzPair& pair);

/// Spends one product on residual = ||A x - theta x|| of a pair, then judge_pair().
void measure_pair(LinearOperator& op, const EvidenceOptions& options, RitzPair& pair);

/// Forms the vectors of the wanted pairs from all rows of `basis`, tells copies from eigenvectors by the
/// vectors themselves, and spends one product a pair on the true residual. Valid in every mode: it rests on
/// A Q' = Q' H + beta q e' and on products, not on orthogonality.
RitzEvidence ritz_evidence(LinearOperator& op, const KrylovFactorization& f, const Combinations& basis,
                           const Reorthogonalization& mode, const EvidenceOptions& options);

}  // namespace ritzflow::krylov
