#pragma once
#include <vector>

#include "krylov/certificate/certificate.h"
#include "krylov/certificate/certificate_end.h"
#include "krylov/certificate/probabilistic_bound.h"
#include "krylov/process/factorization.h"
#include "krylov/process/tridiagonal.h"

namespace ritzflow::krylov {

/// Both ends of a certificate through its rounds, each a Lanczos run on the deflated operator from a fresh
/// random start: what is wanted, what bounds the rest, and how far that is from certifying it.
class CertificateBounds {
 public:
  explicit CertificateBounds(const CertificateOptions& options) : options_(options) {}

  /// Begins a round, given what is deflated in it. Bounds that were found before stay: what bounded the
  /// eigenvalues that had not been returned then bounds those that are not returned now.
  void begin_round(const std::vector<KnownValue>& known);

  /// What is deflated changes: rounds that ended at an invariant subspace say nothing of what comes.
  void forget_rounds() { ended_.clear(); }

  /// Takes the current run, on a space of dimension n, into account. A round that ended at an invariant
  /// subspace stands beside the next ones, whose starts are independent.
  void update(const KrylovFactorization& f, int64_t n);

  /// Everything is deflated.
  void nothing_is_left();

  /// Rounds that ended at an invariant subspace since forget_rounds().
  size_t ended() const { return ended_.size(); }

  const std::vector<CertificateEnd>& ends() const { return ends_; }
  bool all_certified() const;

  /// Of the ends that are asked for, 1 when it is reached; where a Ritz value lies beyond the wanted ones
  /// there is none to judge by.
  double least_progress() const;

  /// Whether a Ritz value of the deflated operator is one that was missed.
  bool missed(double value) const;

  /// Whether something was missed, and all of it has converged.
  bool missed_are_converged(const KrylovFactorization& f, const TridiagonalEigen& eigen) const;

  /// Beyond `enough` the deflated operator has an eigenvalue that was missed, and will lean on companions, or
  /// one that lies so close to the wanted ones that their coupling leaves the bound no room.
  bool companions_are_in_the_way(const TridiagonalEigen& eigen) const;

  /// Absolute noise of a product.
  double slack() const;

 private:
  double goal(double theta) const;
  double enough(const CertificateEnd& end) const;

  const CertificateOptions& options_;
  std::vector<CertificateEnd> ends_;
  std::vector<RandomStart> ended_;
  int rounds_ = 0;
};

}  // namespace ritzflow::krylov
