#include "krylov/ritz/evidence.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/error.h"
#include "core/kernels.h"
#include "krylov/process/projected.h"
#include "krylov/process/tolerance.h"
#include "krylov/ritz/candidate_pool.h"

namespace ritzflow::krylov {
namespace {

std::vector<double> naive_list(const KrylovFactorization& f, const EvidenceOptions& options) {
  std::vector<double> values = projected_ends(f).values, wanted;
  std::reverse(values.begin(), values.end());
  for (const auto& end : wanted_ends(values, options.which, options.k)) {
    for (int64_t r = 0; r < end.count && r < static_cast<int64_t>(end.order.size()); ++r) {
      wanted.push_back(values[end.order[static_cast<size_t>(r)]]);
    }
  }
  std::sort(wanted.rbegin(), wanted.rend());
  return wanted;
}

// Naive values that no pair of its own accounts for, each pair accounting for one.
int64_t count_unmatched(const std::vector<double>& naive, const std::vector<RitzPair>& pairs) {
  std::vector<bool> used(pairs.size(), false);
  int64_t unmatched = 0;
  for (double value : naive) {
    size_t best = pairs.size();
    double best_distance = 0;
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (used[i] || pairs[i].verdict == Verdict::ghost || pairs[i].verdict == Verdict::spurious) continue;
      const double distance = std::abs(pairs[i].value - value);
      if (distance > 1e-6 * std::abs(value) + pairs[i].residual) continue;
      if (best == pairs.size() || distance < best_distance) {
        best = i;
        best_distance = distance;
      }
    }
    if (best == pairs.size()) {
      ++unmatched;
    } else {
      used[best] = true;
    }
  }
  return unmatched;
}

// Ritz values lie inside the spectrum where the rows are orthonormal, and those of T without any
// reorthogonalisation (Paige); elsewhere only Rayleigh quotients do: alpha_j of the rows, and those of pairs.
std::pair<double, double> inner_bounds(const KrylovFactorization& f,
                                       const std::vector<RitzCandidate>& candidates,
                                       const Reorthogonalization& mode, const std::vector<RitzPair>& pairs) {
  if (candidates.empty()) return {};
  if (keeps_orthogonality(mode) || traits_of(mode).tridiagonal)
    return {candidates.back().value, candidates.front().value};
  const std::vector<double> alpha = f.alphas();
  const auto [least, largest] = std::ranges::minmax(alpha);
  std::pair<double, double> inner(least, largest);
  for (const auto& pair : pairs) {
    inner = {std::min(inner.first, pair.value + pair.shift), std::max(inner.second, pair.value - pair.shift)};
  }
  return inner;
}

}  // namespace

double norm_with(const std::vector<RitzPair>& pairs, double norm_a) {
  for (const RitzPair& pair : pairs) {
    norm_a = std::max(norm_a, std::abs(pair.value) - std::min(pair.shift, pair.residual));
  }
  return norm_a;
}

void judge_pair(const EvidenceOptions& options, RitzPair& pair) {
  const double radius = pair.residual + product_error(options.noise, options.epsilon) * options.norm_a;
  pair.interval = {pair.value - radius, pair.value + radius};
  if (pair.verdict == Verdict::unconverged &&
      pair.residual <= residual_goal(options.tol, pair.value, options.norm_a)) {
    pair.verdict = Verdict::converged;
  }
}

void measure_pair(LinearOperator& op, const EvidenceOptions& options, RitzPair& pair) {
  const PairVector held(pair, options.shelf);
  const VectorView x = held.view();
  std::vector<double> product(x.size());
  op.apply(x, product);
  if (!all_finite(product)) throw InputError("a product for a true residual has a NaN or an infinity");
  const double* row = x.data();
  subtract(Rows(&row, 1), {&pair.value, 1}, product);
  pair.residual = norm(product);
  pair.shift = std::abs(dot(x, product));
  judge_pair(options, pair);
}

std::vector<RitzPair> wanted_pairs(const std::vector<RitzCandidate>& candidates, const Combinations& basis,
                                   Which which, int64_t k, Basis* shelf) {
  std::vector<double> values;
  for (const auto& candidate : candidates) values.push_back(candidate.value);
  std::vector<RitzPair> pairs;
  for (const auto& end : wanted_ends(values, which, k)) {
    for (auto& pair : candidate_pool(candidates, end, basis, shelf)) {
      pair.residual = pair.estimate;
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

RitzEvidence ritz_evidence(LinearOperator& op, const KrylovFactorization& f, const Combinations& basis,
                           const Reorthogonalization& mode, const EvidenceOptions& options) {
  const std::vector<RitzCandidate> candidates = ritz_candidates(f, mode);
  RitzEvidence evidence;
  evidence.pairs = wanted_pairs(candidates, basis, options.which, options.k, options.shelf);
  for (auto& pair : evidence.pairs) measure_pair(op, options, pair);
  EvidenceOptions measured = options;
  evidence.norm_a = measured.norm_a = norm_with(evidence.pairs, options.norm_a);
  for (auto& pair : evidence.pairs) judge_pair(measured, pair);
  evidence.operator_calls = static_cast<int64_t>(evidence.pairs.size());
  std::stable_sort(evidence.pairs.begin(), evidence.pairs.end(),
                   [](const RitzPair& a, const RitzPair& b) { return a.value > b.value; });
  std::tie(evidence.ritz_min, evidence.ritz_max) = inner_bounds(f, candidates, mode, evidence.pairs);
  evidence.naive_eigenvalues = naive_list(f, options);
  evidence.naive_ghosts = count_unmatched(evidence.naive_eigenvalues, evidence.pairs);
  evidence.orthogonality_loss = basis.loss_of_orthogonality();
  return evidence;
}

}  // namespace ritzflow::krylov
