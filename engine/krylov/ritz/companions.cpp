#include "krylov/ritz/companions.h"

#include <algorithm>
#include <cmath>

#include "krylov/ritz/candidate_pool.h"

namespace ritzflow::krylov {
namespace {

// Of each candidate's value from the nearest wanted one: 0 for those that are wanted.
std::vector<double> distance_from_wanted(const std::vector<RitzCandidate>& candidates, Which which,
                                         int64_t k) {
  std::vector<double> values, distance(candidates.size(), HUGE_VAL);
  for (const auto& candidate : candidates) values.push_back(candidate.value);
  for (const auto& end : wanted_ends(values, which, k)) {
    for (int64_t r = 0; r < end.count; ++r) {
      const double wanted = values[end.order[static_cast<size_t>(r)]];
      for (size_t i = 0; i < values.size(); ++i)
        distance[i] = std::min(distance[i], std::abs(wanted - values[i]));
    }
  }
  return distance;
}

}  // namespace

std::vector<RitzPair> companions(const std::vector<RitzCandidate>& candidates, const Combinations& basis,
                                 Which which, int64_t k, int64_t count) {
  constexpr double kSmall = 0.05;  // its square is what the bound loses, relative to the distance
  const std::vector<double> distance = distance_from_wanted(candidates, which, k);
  std::vector<size_t> order;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (distance[i] > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return candidates[a].coupling < candidates[b].coupling; });
  std::vector<RitzPair> pairs;
  double nearest = HUGE_VAL, square = 0;
  for (size_t i : order) {
    nearest = std::min(nearest, distance[i]);
    square += std::pow(candidates[i].coupling, 2);
    if (static_cast<int64_t>(pairs.size()) == count || std::sqrt(square) > kSmall * nearest) break;
    pairs.push_back(form_pair(candidates[i], basis));
    pairs.back().residual = pairs.back().estimate;
  }
  return pairs;
}

}  // namespace ritzflow::krylov
