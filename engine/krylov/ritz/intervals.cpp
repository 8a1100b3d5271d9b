#include "krylov/ritz/intervals.h"

#include <algorithm>
#include <cmath>

namespace ritzflow {
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

// The groups that reach beyond the bound of the upper end, from the outside in, and how far apart they lie.
// The lower end is the upper one of the mirrored groups.
struct End {
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

End upper_end(const std::vector<Group>& all, double bound) {
  End end{.groups = {}, .bound = bound};
  for (const Group& group : all) {
    if (group.upper > bound) end.groups.push_back(group);
  }
  return end;
}

std::vector<Group> mirrored(const std::vector<Group>& all) {
  std::vector<Group> result;
  for (auto group = all.rbegin(); group != all.rend(); ++group) {
    result.push_back({group->members, -group->upper, -group->lower});
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

void narrow_end(std::vector<RitzPair>& pairs, const End& end, double sign, double slack) {
  if (!end.apart()) return;
  for (size_t g = 0; g < end.groups.size(); ++g) {
    if (end.groups[g].members.size() > 1) continue;
    RitzPair& pair = pairs[end.groups[g].members.front()];
    narrow(pair, end.gap(g, sign * pair.value), slack);
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
  narrow_end(pairs, upper_end(all, outside.upper), 1, slack);
  narrow_end(pairs, upper_end(mirrored(all), -outside.lower), -1, slack);
}

}  // namespace ritzflow
