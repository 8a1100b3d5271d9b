#include "krylov/certificate/certificate.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

#include "core/kernels.h"
#include "core/philox.h"
#include "krylov/certificate/certificate_bounds.h"
#include "krylov/certificate/deflated.h"
#include "krylov/process/tridiagonal.h"
#include "krylov/ritz/candidate_pool.h"
#include "krylov/ritz/evidence.h"

namespace ritzflow::krylov {
namespace {

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
      : operator_(op), options_(options), keep_going_(keep_going), pairs_(pairs), bounds_(options) {
    deflate_all(true);
  }

  Certificate run() {
    bounds_.begin_round(known_);
    while (!bounds_.all_certified() && result_.calls < options_.budget && one_round())
      bounds_.begin_round(known_);
    for (const CertificateEnd& end : bounds_.ends()) {
      const bool upper = end.side == End::upper;
      (upper ? result_.certified_largest : result_.certified_smallest) = end.certified;
      (upper ? result_.upper_bound : result_.lower_bound) = seen_from(end.side, end.bound);
    }
    return std::move(result_);
  }

 private:
  void deflate_all(bool with_companions) {
    bounds_.forget_rounds();
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
    known_.push_back({pair.value, pair.residual + bounds_.slack(), converged});
    companions_ = companions_ || !converged;
  }

  bool without_companions() {
    deflate_all(false);
    return true;
  }

  // Returns whether another round makes sense: what is deflated has changed.
  bool one_round() {
    const int64_t n = operator_.dim() - deflated_->size();
    if (n <= 0) {
      bounds_.nothing_is_left();
      return false;
    }
    std::vector<double> start(static_cast<size_t>(operator_.dim()));
    Philox(options_.seed, "certificate", "start of round " + std::to_string(round_++) + options_.draw)
        .fill_normal(start);
    deflated_->project(start);
    LanczosProcess process(*deflated_, start, Full{}, options_.seed,
                           options_.new_basis ? options_.new_basis() : make_ram_basis(operator_.dim()));
    const auto& f = process.factorization();
    std::deque<double> progress;
    while (result_.calls < options_.budget && f.size() < options_.rows && process.step()) {
      result_.stopped = !keep_going_(++result_.calls);
      const TridiagonalEigen eigen = tridiagonal_eigen(f.alphas(), f.beta);
      bounds_.update(f, n);
      result_.alpha = f.alphas();
      result_.beta = f.beta;
      if (bounds_.all_certified() || result_.stopped) return false;
      if (companions_ && bounds_.companions_are_in_the_way(eigen)) return without_companions();
      if (bounds_.missed_are_converged(f, eigen)) return lock(process);
      if (f.beta.back() == 0) return bounds_.ended() < kIndependent;
      progress.push_back(bounds_.least_progress());
      result_.hopeless =
          too_slow(progress, std::min(options_.budget - result_.calls, options_.rows - f.size()));
      if (result_.hopeless) return false;
    }
    result_.out_of_rows = result_.calls < options_.budget && f.size() >= options_.rows;
    return false;
  }

  bool lock(const LanczosProcess& process) {
    std::vector<RitzPair> found;
    bool complete = true;
    for (const RitzCandidate& candidate : ritz_candidates(process.factorization(), Full{})) {
      if (!bounds_.missed(candidate.value)) continue;
      complete = result_.calls < options_.budget;
      if (!complete) break;
      RitzPair pair = form_pair(candidate, process.basis());
      measure_pair(operator_,
                   {.k = options_.k,
                    .which = options_.which,
                    .tol = options_.tol,
                    .norm_a = options_.norm_a,
                    .noise = options_.noise,
                    .epsilon = options_.epsilon},
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
    bounds_.forget_rounds();
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
  CertificateBounds bounds_;
  Certificate result_;
  int round_ = 0;
};

}  // namespace

Certificate certify(LinearOperator& op, const std::vector<RitzPair>& pairs, const CertificateOptions& options,
                    const std::function<bool(int64_t)>& keep_going) {
  return Rounds(op, pairs, options, keep_going).run();
}

}  // namespace ritzflow::krylov
