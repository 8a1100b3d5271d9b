#include "krylov/ritz/intervals.h"

#include <algorithm>
#include <cmath>

#include "krylov/process/end.h"

namespace ritzflow::krylov {
namespace {

// A cluster of c pairs and an interval that holds c eigenvalues: within ||R|| of the Ritz values (Kahan), R
// the residuals of its orthonormal vectors.
struct Group {
  std::vector<size_t> members;
  double lower = 0, upper = 0;
};

std::vector<Group> groups(const std::vector<RitzPair>& pairs, double slack) {
  std::vector<Group> all;
  const std::vector<int64_t> number = clusters(pairs);
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (number[i] < 0) continue;
    if (number[i] == static_cast<int64_t>(all.size())) all.emplace_back();
    all[static_cast<size_t>(number[i])].members.push_back(i);
  }
  for (Group& group : all) {
    double square = 0;
    for (size_t i : group.members) square += std::pow(pairs[i].residual + slack, 2);
    group.upper = pairs[group.members.front()].value + std::sqrt(square);
    group.lower = pairs[group.members.back()].value - std::sqrt(square);
  }
  return all;
}

// The groups that reach beyond the bound of an end, from the outside in, and how far apart they lie.
struct Beyond {
  std::vector<Group> groups;
  double bound = HUGE_VAL;

  double next(size_t g) const { return g + 1 < groups.size() ? groups[g + 1].upper : bound; }
  bool apart() const {
    for (size_t g = 0; g < groups.size(); ++g) {
      if (!(groups[g].lower > next(g))) return false;
    }
    return true;
  }
  double gap(size_t g, double value) const {
    const double below = value - next(g);
    return g == 0 ? below : std::min(below, groups[g - 1].lower - value);
  }
};

std::vector<Group> seen_from(End end, std::vector<Group> groups) {
  if (end == End::upper) return groups;
  std::ranges::reverse(groups);
  for (Group& group : groups) group = {std::move(group.members), -group.upper, -group.lower};
  return groups;
}

Beyond beyond(double bound, const std::vector<Group>& all) {
  Beyond result{.groups = {}, .bound = bound};
  for (const Group& group : all) {
    if (group.upper > bound) result.groups.push_back(group);
  }
  return result;
}

void narrow(RitzPair& pair, double gap, double slack) {
  const double residual = pair.residual + slack;
  if (!(gap > residual)) return;
  pair.gap = gap;
  const double radius = residual * residual / gap + pair.shift + slack;
  pair.interval[0] = std::max(pair.interval[0], pair.value - radius);
  pair.interval[1] = std::min(pair.interval[1], pair.value + radius);
}

void narrow_at(End end, std::vector<RitzPair>& pairs, const Beyond& known, double slack) {
  if (!known.apart()) return;
  for (size_t g = 0; g < known.groups.size(); ++g) {
    if (known.groups[g].members.size() > 1) continue;
    RitzPair& pair = pairs[known.groups[g].members.front()];
    narrow(pair, known.gap(g, seen_from(end, pair.value)), slack);
  }
}

}  // namespace

std::vector<int64_t> clusters(const std::vector<RitzPair>& pairs) {
  std::vector<int64_t> number(pairs.size(), -1);
  int64_t last = -1;
  double reached = HUGE_VAL;  // lower end of the cluster so far
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].verdict == Verdict::ghost || pairs[i].verdict == Verdict::spurious) continue;
    const auto& [lower, upper] = pairs[i].interval;
    if (last < 0 || upper < reached) {
      ++last;
      reached = lower;
    }
    reached = std::min(reached, lower);
    number[i] = last;
  }
  return number;
}

void narrow_by_gaps(std::vector<RitzPair>& pairs, const Outside& outside, double slack) {
  const std::vector<Group> all = groups(pairs, slack);
  for (const End end : kEnds) {
    const double bound = reach_at(end, outside.lower, outside.upper);
    narrow_at(end, pairs, beyond(bound, seen_from(end, all)), slack);
  }
}

}  // namespace ritzflow::krylov
