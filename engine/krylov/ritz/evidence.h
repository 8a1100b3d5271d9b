#pragma once
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "krylov/ritz/ritz.h"

namespace ritzflow {

/// What is known of a returned pair.
enum class Verdict {
  converged,    ///< true residual within residual_goal()
  unconverged,  ///< a direction of its own, but not there yet
  ghost,        ///< another copy of a returned pair: most of its vector lies in their span
  spurious      ///< no usable vector (||Q's|| < 0.1), and no copy of a returned value
};

std::string verdict_name(Verdict verdict);

/// A returned pair (theta, x) with x = Q's / ||Q's|| and its evidence.
struct RitzPair {
  double value = 0;                  ///< theta
  double residual = 0;               ///< ||A x - theta x||, by one product
  double estimate = 0;               ///< beta |s_m| / ||Q's||
  double basis_norm = 0;             ///< ||Q's||
  double gamma = 0;                  ///< s_1^2
  double shift = HUGE_VAL;           ///< |x'A x - theta|, by the same product as the residual
  double gap = 0;                    ///< to the other eigenvalues, where a certificate vouches for it; else 0
  std::array<double, 2> interval{};  ///< contains an eigenvalue of A (judge_pair(), narrow_by_gaps())
  Verdict verdict = Verdict::unconverged;
  std::vector<double> vector;  ///< x [n]; empty while it lies on a shelf
  int64_t shelf_row = -1;      ///< where there
};

/// x of a pair for as long as this lives: as it is in memory, or read from its row of the shelf.
class PairVector {
 public:
  PairVector(const RitzPair& pair, const Basis* shelf)
      : read_(pair.shelf_row < 0 ? std::vector<double>{} : shelf->row(pair.shelf_row)),
        view_(pair.shelf_row < 0 ? pair.vector : read_) {}
  PairVector(const PairVector&) = delete;
  PairVector& operator=(const PairVector&) = delete;

  VectorView view() const { return view_; }

 private:
  std::vector<double> read_;
  VectorView view_;
};

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

}  // namespace ritzflow
