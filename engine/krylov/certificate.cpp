#include "krylov/certificate.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

#include "core/kernels.h"
#include "core/philox.h"
#include "krylov/candidate_pool.h"
#include "krylov/certificate_end.h"
#include "krylov/deflated.h"
#include "krylov/tridiagonal.h"

namespace ritzflow {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();
constexpr int64_t kFirstLook = 12;  // steps of a round before its rate is judged
constexpr int64_t kRateOver = 4;    // steps that the rate is taken over
constexpr size_t kIndependent = 8;  // rounds at most that end at an invariant subspace
constexpr double kFaster = 3;       // by how much the rate may still grow: Lanczos converges superlinearly

// Whether even at kFaster times the rate of the newest steps the products left would not do.
bool too_slow(const std::deque<double>& progress, int64_t left) {
  if (static_cast<int64_t>(progress.size()) < kFirstLook) return false;
  const double now = progress.back(), before = progress[progress.size() - 1 - kRateOver];
  if (!std::isfinite(before)) return false;
  return kFaster * (now - before) * static_cast<double>(left) < (1 - now) * kRateOver;
}

class Rounds {
 public:
  Rounds(LinearOperator& op, const std::vector<RitzPair>& pairs, const CertificateOptions& options,
         const std::function<bool(int64_t)>& keep_going)
      : operator_(op), options_(options), keep_going_(keep_going), pairs_(pairs) {
    deflate_all(true);
  }

  Certificate run() {
    renew_ends();
    while (!all_certified() && result_.calls < options_.budget && one_round()) renew_ends();
    for (const CertificateEnd& end : ends_) {
      (end.sign > 0 ? result_.certified_largest : result_.certified_smallest) = end.certified;
      (end.sign > 0 ? result_.upper_bound : result_.lower_bound) = end.sign * end.bound;
    }
    return std::move(result_);
  }

 private:
  // What bounded the eigenvalues that had not been returned then bounds those that are not returned now.
  void renew_ends() {
    std::vector<CertificateEnd> next = certificate_ends(known_, options_.which, options_.k);
    for (size_t i = 0; i < ends_.size(); ++i) next[i].bound = ends_[i].bound;
    ends_ = std::move(next);
  }

  bool all_certified() const {
    return std::all_of(ends_.begin(), ends_.end(),
                       [](const CertificateEnd& end) { return end.certified || !end.asked; });
  }

  // How far beyond a wanted value another one counts as the same.
  double goal(double theta) const {
    return std::isfinite(theta) ? residual_goal(options_.tol, theta, options_.norm_a) : 0;
  }
  double slack() const { return (options_.noise + 4 * kEps) * options_.norm_a; }

  void deflate_all(bool with_companions) {
    ended_.clear();
    deflated_.emplace(operator_);
    known_.clear();
    companions_ = false;
    for (const auto& pair : pairs_) {
      if (with_companions || pair.verdict == Verdict::converged) deflate(pair);
    }
    for (const auto& pair : result_.found) deflate(pair);
  }

  void deflate(const RitzPair& pair) {
    if (pair.verdict == Verdict::ghost || pair.verdict == Verdict::spurious || !deflated_->add(pair.vector))
      return;
    const bool converged = pair.verdict == Verdict::converged;
    known_.push_back({pair.value, pair.residual + slack(), converged});
    companions_ = companions_ || !converged;
  }

  bool without_companions() {
    deflate_all(false);
    return true;
  }

  // Returns whether another round makes sense: what is deflated has changed.
  bool one_round() {
    if (deflated_->size() >= operator_.dim()) return nothing_is_left();
    std::vector<double> start(static_cast<size_t>(operator_.dim()));
    Philox(options_.seed, "certificate", "start of round " + std::to_string(round_++) + options_.draw)
        .fill_normal(start);
    deflated_->project(start);
    LanczosProcess process(*deflated_, start, Full{}, options_.seed,
                           options_.new_basis ? options_.new_basis() : make_ram_basis(operator_.dim()));
    const auto& f = process.factorization();
    const double delta = delta_of_round();
    std::deque<double> progress;
    while (result_.calls < options_.budget && f.size() < options_.rows && process.step()) {
      result_.stopped = !keep_going_(++result_.calls);
      const TridiagonalEigen eigen = tridiagonal_eigen(f.alphas(), f.beta);
      update_bounds(f, delta);
      result_.alpha = f.alphas();
      result_.beta = f.beta;
      if (all_certified() || result_.stopped) return false;
      if (companions_ && companions_are_in_the_way(eigen)) return without_companions();
      if (missed_are_converged(f, eigen)) return lock(process);
      if (f.beta.back() == 0) return ended_.size() < kIndependent;
      progress.push_back(least_progress());
      result_.hopeless =
          too_slow(progress, std::min(options_.budget - result_.calls, options_.rows - f.size()));
      if (result_.hopeless) return false;
    }
    return false;
  }

  bool nothing_is_left() {
    for (CertificateEnd& end : ends_) end.set_bound(-HUGE_VAL, goal(end.threshold));
    return false;
  }

  // Each round and each end may fail, together with no more than delta.
  double delta_of_round() const { return options_.delta / std::exp2(round_ + 1); }

  // A round that ended at an invariant subspace stands beside the next ones, whose starts are independent.
  void update_bounds(const KrylovFactorization& f, double delta) {
    const RandomStart now{f.alphas(), f.beta, breakdown_level(operator_.dim()) * f.norm_estimate()};
    for (CertificateEnd& end : ends_) {
      std::vector<RandomStart> runs;
      for (const RandomStart& run : ended_) runs.push_back(run.seen_from(end.sign));
      const int64_t n = operator_.dim() - deflated_->size();
      const double before = runs.empty() ? HUGE_VAL : probabilistic_upper_bound(runs, delta, n);
      runs.push_back(now.seen_from(end.sign));
      end.set_bound(slack() + std::min(before, probabilistic_upper_bound(runs, delta, n)),
                    goal(end.threshold));
      end.progress = progress_to_bound(runs.back(), delta, n, end.enough(goal(end.threshold)) - slack());
    }
    if (f.beta.back() == 0) ended_.push_back(now);
  }

  // Of the ends that are asked for; where a Ritz value lies beyond the wanted ones there is none to judge by.
  double least_progress() const {
    double least = 1;
    for (const CertificateEnd& end : ends_) {
      if (end.asked) least = std::min(least, end.progress);
    }
    return least;
  }

  bool missed(double value) const {
    return std::any_of(ends_.begin(), ends_.end(), [&](const CertificateEnd& end) {
      return end.asked && end.sign * value > end.threshold + goal(end.threshold);
    });
  }

  // Something was missed, and all of it has converged.
  bool missed_are_converged(const KrylovFactorization& f, const TridiagonalEigen& eigen) const {
    bool any = false;
    for (size_t i = 0; i < eigen.values.size(); ++i) {
      if (!missed(eigen.values[i])) continue;
      any = true;
      if (f.beta.back() * std::abs(eigen.last[i]) > goal(eigen.values[i])) return false;
    }
    return any;
  }

  // Beyond `enough` the deflated operator has an eigenvalue that was missed, and will lean on companions, or
  // one that lies so close to the wanted ones that their coupling leaves the bound no room.
  bool companions_are_in_the_way(const TridiagonalEigen& eigen) const {
    return std::any_of(ends_.begin(), ends_.end(), [&](const CertificateEnd& end) {
      const double largest = end.sign > 0 ? eigen.values.back() : -eigen.values.front();
      return end.asked && largest > end.enough(goal(end.threshold));
    });
  }

  bool lock(const LanczosProcess& process) {
    std::vector<RitzPair> found;
    bool complete = true;
    for (const RitzCandidate& candidate : ritz_candidates(process.factorization(), Full{})) {
      if (!missed(candidate.value)) continue;
      complete = result_.calls < options_.budget;
      if (!complete) break;
      RitzPair pair = form_pair(candidate, process.basis());
      measure_pair(operator_,
                   {.k = options_.k,
                    .which = options_.which,
                    .tol = options_.tol,
                    .norm_a = options_.norm_a,
                    .noise = options_.noise},
                   pair);
      ++result_.calls;
      found.push_back(std::move(pair));
    }
    const bool all_converged = std::all_of(
        found.begin(), found.end(), [](const RitzPair& pair) { return pair.verdict == Verdict::converged; });
    for (auto& pair : found) {
      deflate(pair);
      result_.found.push_back(std::move(pair));
    }
    ended_.clear();
    result_.hopeless = !all_converged;
    return complete && all_converged;
  }

  LinearOperator& operator_;
  const CertificateOptions& options_;
  const std::function<bool(int64_t)>& keep_going_;
  const std::vector<RitzPair>& pairs_;
  std::optional<Deflated> deflated_;
  bool companions_ = false;  // whether some are deflated
  std::vector<KnownValue> known_;
  std::vector<CertificateEnd> ends_;
  Certificate result_;
  std::vector<RandomStart> ended_;  // rounds since the last change of what is deflated
  int round_ = 0;
};

}  // namespace

Certificate certify(LinearOperator& op, const std::vector<RitzPair>& pairs, const CertificateOptions& options,
                    const std::function<bool(int64_t)>& keep_going) {
  return Rounds(op, pairs, options, keep_going).run();
}

}  // namespace ritzflow
