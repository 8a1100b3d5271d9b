#include "krylov/certificate/certificate_bounds.h"

#include <algorithm>
#include <cmath>

#include "krylov/process/tolerance.h"

namespace ritzflow::krylov {

void CertificateBounds::begin_round(const std::vector<KnownValue>& known) {
  std::vector<CertificateEnd> next = certificate_ends(known, options_.which, options_.k);
  for (size_t i = 0; i < ends_.size(); ++i) next[i].bound = ends_[i].bound;
  ends_ = std::move(next);
  ++rounds_;
}

void CertificateBounds::update(const KrylovFactorization& f, int64_t n) {
  // Each round and each end may fail, together with no more than delta.
  const double delta = options_.delta / std::exp2(rounds_ + 1);
  const double level = breakdown_level(static_cast<int64_t>(f.residual_vector.size()));
  const RandomStart now{f.alphas(), f.beta, level * f.norm_estimate};
  for (CertificateEnd& end : ends_) {
    std::vector<RandomStart> runs;
    for (const RandomStart& run : ended_) runs.push_back(run.seen_from(end.side));
    runs.push_back(now.seen_from(end.side));
    end.set_bound(slack() + probabilistic_upper_bound(runs, delta, n), goal(end.threshold), slack());
    end.progress = progress_to_bound(runs.back(), delta, n, enough(end) - slack());
  }
  if (f.beta.back() == 0) ended_.push_back(now);
}

void CertificateBounds::nothing_is_left() {
  for (CertificateEnd& end : ends_) end.set_bound(-HUGE_VAL, goal(end.threshold), slack());
}

bool CertificateBounds::all_certified() const {
  return std::all_of(ends_.begin(), ends_.end(),
                     [](const CertificateEnd& end) { return end.certified || !end.asked; });
}

double CertificateBounds::least_progress() const {
  double least = 1;
  for (const CertificateEnd& end : ends_) {
    if (end.asked) least = std::min(least, end.progress);
  }
  return least;
}

bool CertificateBounds::missed(double value) const {
  return std::any_of(ends_.begin(), ends_.end(), [&](const CertificateEnd& end) {
    return end.asked && seen_from(end.side, value) > end.threshold + goal(end.threshold);
  });
}

bool CertificateBounds::missed_are_converged(const KrylovFactorization& f,
                                             const TridiagonalEigen& eigen) const {
  bool any = false;
  for (size_t i = 0; i < eigen.values.size(); ++i) {
    if (!missed(eigen.values[i])) continue;
    any = true;
    if (f.beta.back() * std::abs(eigen.last[i]) > goal(eigen.values[i])) return false;
  }
  return any;
}

bool CertificateBounds::companions_are_in_the_way(const TridiagonalEigen& eigen) const {
  return std::any_of(ends_.begin(), ends_.end(), [&](const CertificateEnd& end) {
    const double largest = reach_at(end.side, eigen.values.front(), eigen.values.back());
    return end.asked && largest > enough(end);
  });
}

double CertificateBounds::enough(const CertificateEnd& end) const {
  return end.enough(goal(end.threshold), slack());
}

double CertificateBounds::slack() const {
  return product_error(options_.noise, options_.epsilon) * options_.norm_a;
}

// How far beyond a wanted value another one counts as the same.
double CertificateBounds::goal(double theta) const {
  return std::isfinite(theta) ? residual_goal(options_.tol, theta, options_.norm_a) : 0;
}

}  // namespace ritzflow::krylov
