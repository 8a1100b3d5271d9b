#include "krylov/certificate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/kernels.h"
#include "core/philox.h"
#include "krylov/projected.h"

namespace ritzflow {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEps = std::numeric_limits<double>::epsilon();

// (I - XX') A (I - XX') with orthonormal X.
class Deflated final : public LinearOperator {
 public:
  explicit Deflated(LinearOperator& op) : operator_(op), inner_(static_cast<size_t>(op.dim())) {}

  int64_t dim() const override { return operator_.dim(); }

  void apply(VectorView v, VectorSpan out) override {
    std::copy(v.begin(), v.end(), inner_.begin());
    project(inner_);
    operator_.apply(inner_, out);
    project(out);
  }

  // w <- (I - XX') w, twice: X'w is rounding noise afterwards.
  void project(VectorSpan w) const {
    std::vector<double> c(rows_.size());
    for (int pass = 0; pass < 2; ++pass) {
      dots(Rows(rows_), w, c);
      subtract(Rows(rows_), c, w);
    }
  }

  void add(VectorView x) {
    std::vector<double> q(x.begin(), x.end());
    project(q);
    const double length = norm(q);
    if (length < 0.5) return;  // a copy of what is there
    scale(1 / length, q);
    vectors_.push_back(std::move(q));
    rows_.push_back(vectors_.back().data());
  }

 private:
  LinearOperator& operator_;
  std::vector<double> inner_;
  std::vector<std::vector<double>> vectors_;
  std::vector<const double*> rows_;
};

// One end, mirrored so that it is the upper one: sign +1 or -1, `values` of its wanted pairs times the sign.
struct End {
  double sign = 1;
  int64_t count = 0;
  std::vector<double> values;
  double bound = kInfinity;
  bool certified = false;

  // The wanted value that stands furthest inside: anything beyond it was missed.
  double threshold() const {
    if (static_cast<int64_t>(values.size()) < count) return -kInfinity;
    std::vector<double> sorted = values;
    std::nth_element(sorted.begin(), sorted.begin() + (count - 1), sorted.end(), std::greater<>());
    return sorted[static_cast<size_t>(count - 1)];
  }
};

std::vector<End> ends_of(const std::vector<RitzPair>& pairs, const CertificateOptions& options) {
  std::vector<double> values;
  for (const auto& pair : pairs) values.push_back(pair.value);
  const auto end = [&](double sign, int64_t count) {
    End e{.sign = sign, .count = count, .values = {}};
    for (double value : values)
      e.values.push_back(options.which == Which::magnitude ? std::abs(value) : sign * value);
    return e;
  };
  switch (options.which) {
    case Which::largest:
      return {end(1, options.k)};
    case Which::smallest:
      return {end(-1, options.k)};
    case Which::both:
      if (options.k == 1) return {end(1, 1)};
      return {end(1, (options.k + 1) / 2), end(-1, options.k / 2)};
    case Which::magnitude:
      return {end(1, options.k), end(-1, options.k)};
  }
  return {};
}

class Rounds {
 public:
  Rounds(LinearOperator& op, const std::vector<RitzPair>& pairs, const CertificateOptions& options)
      : operator_(op), options_(options), deflated_(op), ends_(ends_of(pairs, options)) {
    for (const auto& pair : pairs) deflated_.add(pair.vector);
    deflated_count_ = static_cast<int64_t>(pairs.size());
  }

  Certificate run() {
    while (!all_certified() && result_.calls < options_.budget && one_round()) {
    }
    for (const End& end : ends_) {
      (end.sign > 0 ? result_.certified_largest : result_.certified_smallest) = end.certified;
      (end.sign > 0 ? result_.upper_bound : result_.lower_bound) = end.sign * end.bound;
    }
    return std::move(result_);
  }

 private:
  bool all_certified() const {
    return std::all_of(ends_.begin(), ends_.end(), [](const End& end) { return end.certified; });
  }

  double goal(double theta) const { return residual_goal(options_.tol, theta, options_.norm_a); }

  // Returns whether another round makes sense: something was found and locked.
  bool one_round() {
    if (deflated_count_ >= operator_.dim()) return nothing_is_left();
    std::vector<double> start(static_cast<size_t>(operator_.dim()));
    Philox(options_.seed, "certificate", "start of round " + std::to_string(round_++)).fill_normal(start);
    deflated_.project(start);
    LanczosProcess process(deflated_, start, Full{}, options_.seed);
    const auto& f = process.factorization();
    while (result_.calls < options_.budget && process.step()) {
      ++result_.calls;
      const TridiagonalEigen eigen = tridiagonal_eigen(f.alphas(), f.beta);
      update_bounds(f, eigen);
      remember(f);
      if (all_certified()) return false;
      if (missed_are_converged(f, eigen)) return lock(process);
      if (f.beta.back() == 0) return false;
    }
    return false;
  }

  bool nothing_is_left() {
    for (End& end : ends_) {
      end.bound = -kInfinity;
      end.certified = true;
    }
    return false;
  }

  void remember(const KrylovFactorization& f) {
    result_.alpha = f.alphas();
    result_.beta = f.beta;
  }

  void update_bounds(const KrylovFactorization& f, const TridiagonalEigen& eigen) {
    const double slack = (options_.noise + 4 * kEps) * options_.norm_a;
    for (End& end : ends_) {
      std::vector<double> alpha = f.alphas();
      for (double& a : alpha) a *= end.sign;
      const double largest = end.sign > 0 ? eigen.values.back() : -eigen.values.front();
      // An invariant subspace that a random vector spans holds every eigenvalue.
      end.bound = slack + (f.beta.back() == 0
                               ? largest
                               : probabilistic_upper_bound(alpha, f.beta, options_.delta, operator_.dim()));
      const double threshold = end.threshold();
      end.certified = end.bound <= threshold + goal(threshold);
    }
  }

  bool missed(const End& end, double value) const {
    const double threshold = end.threshold();
    return end.sign * value > threshold + (std::isfinite(threshold) ? goal(threshold) : 0);
  }

  bool missed_by_any(double value) const {
    return std::any_of(ends_.begin(), ends_.end(), [&](const End& end) { return missed(end, value); });
  }

  // Something was missed, and all of it has converged.
  bool missed_are_converged(const KrylovFactorization& f, const TridiagonalEigen& eigen) const {
    bool any = false;
    for (size_t i = 0; i < eigen.values.size(); ++i) {
      if (!missed_by_any(eigen.values[i])) continue;
      any = true;
      if (f.beta.back() * std::abs(eigen.last[i]) > goal(eigen.values[i])) return false;
    }
    return any;
  }

  bool lock(const LanczosProcess& process) {
    bool any = false;
    for (const RitzCandidate& candidate : ritz_candidates(process.factorization(), Full{})) {
      if (!missed_by_any(candidate.value)) continue;
      RitzPair pair = measured_pair(candidate, process.basis());
      deflated_.add(pair.vector);
      ++deflated_count_;
      for (End& end : ends_) {
        end.values.push_back(options_.which == Which::magnitude ? std::abs(pair.value)
                                                                : end.sign * pair.value);
      }
      result_.found.push_back(std::move(pair));
      any = true;
    }
    return any;
  }

  // (theta, x) with its true residual, which costs a product.
  RitzPair measured_pair(const RitzCandidate& candidate, const Basis& basis) {
    RitzPair pair;
    pair.value = candidate.value;
    pair.gamma = candidate.gamma;
    pair.vector.resize(static_cast<size_t>(basis.dim()));
    basis.combine(0, {candidate.s.data(), static_cast<size_t>(candidate.s.size())}, pair.vector);
    pair.basis_norm = norm(pair.vector);
    scale(1 / pair.basis_norm, pair.vector);
    pair.estimate = candidate.coupling / pair.basis_norm;
    measure_pair(operator_, evidence_options(), pair);
    ++result_.calls;
    return pair;
  }

  EvidenceOptions evidence_options() const {
    return {.k = options_.k,
            .which = options_.which,
            .tol = options_.tol,
            .norm_a = options_.norm_a,
            .noise = options_.noise};
  }

  LinearOperator& operator_;
  const CertificateOptions& options_;
  Deflated deflated_;
  std::vector<End> ends_;
  Certificate result_;
  int64_t deflated_count_ = 0;
  int round_ = 0;
};

}  // namespace

double probabilistic_upper_bound(std::span<const double> alpha, std::span<const double> beta, double delta,
                                 int64_t n) {
  const size_t m = alpha.size();
  const double target = -std::log(delta * std::sqrt(M_PI / (2 * static_cast<double>(n))));
  // log p_m(x) from the ratios r_j = p_j / p_(j-1): beta_j r_j = x - alpha_j - beta_(j-1) / r_(j-1), all
  // positive beyond theta_max.
  const auto log_p = [&](double x) {
    double sum = 0, ratio = 1;
    for (size_t j = 0; j < m; ++j) {
      ratio = (x - alpha[j] - (j > 0 ? beta[j - 1] / ratio : 0)) / beta[j];
      if (!(ratio > 0)) return -kInfinity;  // at or below theta_max
      sum += std::log(ratio);
    }
    return sum;
  };
  double low = tridiagonal_eigen(alpha, beta).values.back(), step = beta[m - 1];
  while (log_p(low + step) < target) step *= 2;
  double high = low + step;
  for (int i = 0; i < 100 && low < high; ++i) {
    const double middle = 0.5 * (low + high);
    (log_p(middle) < target ? low : high) = middle;
  }
  return high;
}

Certificate certify(LinearOperator& op, const std::vector<RitzPair>& pairs,
                    const CertificateOptions& options) {
  std::vector<RitzPair> converged;
  for (const auto& pair : pairs) {
    if (pair.verdict == Verdict::converged) converged.push_back(pair);
  }
  return Rounds(op, converged, options).run();
}

}  // namespace ritzflow
