#pragma once
#include <Eigen/Core>
#include <functional>
#include <list>
#include <vector>

#include "krylov/process/factorization.h"
#include "krylov/process/wanted.h"
#include "krylov/ritz/ritz_candidate.h"

namespace ritzflow::krylov {

/// A finished run to be made again from its start vector.
struct RunOfRecord {
  const KrylovFactorization& factorization;
  VectorView start;
  Reorthogonalization mode;
  uint64_t seed = 0;
  BasisType type = BasisType::float64;
};

/// Combinations of Lanczos vectors that nobody kept (two-pass Lanczos): the recurrence is made again from its
/// start vector, and each combination grows by its coefficient's share of every vector that comes by, in the
/// order and with the rounding of a basis that holds them all. Memory: the vectors that the mode reads, two
/// in `off`, and `batch` combinations. Every coefficient of every step is compared bitwise with the
/// record: vectors of a recurrence that drifts away from it are worthless (at a relative noise of 1e-7 within
/// 15 steps).
class TwoPass final : public Combinations {
 public:
  /// `upcoming`: candidates in the order in which they will be asked for; one replay forms up to `batch` of
  /// them. `replayed` is called after each product.
  TwoPass(
      LinearOperator& op, const RunOfRecord& run, const std::vector<RitzCandidate>& upcoming, int64_t batch,
      std::function<void()> replayed = [] {});

  int64_t dim() const override { return operator_.dim(); }

  /// All rows: first is 0. Throws Refusal at the first step whose bits are not those of the record.
  void combine(int64_t first, std::span<const double> c, VectorSpan out) const override;

  /// Products so far.
  int64_t products() const { return products_; }

 private:
  struct Formed {
    Eigen::VectorXd c;
    std::vector<double> vector;
  };
  void replay() const;
  void check(const KrylovFactorization& replayed) const;

  LinearOperator& operator_;
  const RunOfRecord run_;
  int64_t batch_;
  std::function<void()> replayed_;
  mutable std::list<Eigen::VectorXd> upcoming_;
  mutable std::list<Formed> formed_;
  mutable int64_t products_ = 0;
};

/// The candidates that candidate_pool() is likely to walk through, in its order: at each wanted end, down to
/// twice as many distinct values as are wanted.
std::vector<RitzCandidate> likely_walk(const std::vector<RitzCandidate>& candidates, Which which, int64_t k);

}  // namespace ritzflow::krylov
