#include "krylov/density/outliers.h"

#include <algorithm>
#include <optional>

#include "krylov/process/end.h"

namespace ritzflow::krylov {
namespace {

// Beyond this angle between a Ritz vector and its eigenvector the first order is not enough.
constexpr double kSmallAngle = 1e-3;

struct Node {
  double value = 0, weight = 0, residual = 0;
};
using Nodes = std::vector<Node>;  // as seen from an end, descending

Nodes seen_from(End end, const Quadrature& rule) {
  Nodes nodes;
  for (size_t i = 0; i < rule.nodes.size(); ++i) {
    nodes.push_back({seen_from(end, rule.nodes[i]), rule.weights[i], rule.residuals[i]});
  }
  std::ranges::sort(nodes, std::greater<>(), &Node::value);
  return nodes;
}

// What one certificate counts above its bound, descending.
struct Counted {
  std::vector<Outlier> values;
  double bound = HUGE_VAL;
};

Counted counted(End end, const ProbeRun& probe, const Nodes& nodes) {
  Counted result;
  result.bound = reach_at(end, probe.certified.lower_bound, probe.certified.upper_bound);
  for (const auto& node : nodes) {
    if (node.value > result.bound) result.values.push_back({node.value, node.residual + probe.slack});
  }
  for (const auto& found : probe.certified.found) {
    const double value = seen_from(end, found.value);
    if (value > result.bound) result.values.push_back({value, found.radius + probe.slack});
  }
  std::ranges::sort(result.values, std::greater<>(), &Outlier::value);
  return result;
}

bool same(const Outlier& a, const Outlier& b) { return std::abs(a.value - b.value) <= a.radius + b.radius; }

// Error of the weight of all nodes above `bound`; none where they are not the values, or have not converged.
std::optional<double> leaning(const Nodes& nodes, double slack, const std::vector<Outlier>& values,
                              double bound) {
  std::vector<Outlier> shown;
  for (const auto& node : nodes) {
    if (node.value > bound) shown.push_back({node.value, node.residual + slack});
  }
  if (shown.size() == nodes.size()) return std::nullopt;
  const auto among = [](const std::vector<Outlier>& list) {
    return [&list](const Outlier& x) {
      return std::ranges::any_of(list, [&](const Outlier& y) { return same(x, y); });
    };
  };
  if (!std::ranges::all_of(shown, among(values)) || !std::ranges::all_of(values, among(shown)))
    return std::nullopt;
  double sum = 0;
  for (size_t i = 0; i < shown.size(); ++i) {
    double gap = shown[i].value - bound;
    for (const auto& other : shown) {
      if (!same(shown[i], other)) gap = std::min(gap, std::abs(shown[i].value - other.value));
    }
    if (!(shown[i].radius <= kSmallAngle * gap)) return std::nullopt;
    sum += 2 * std::sqrt(nodes[i].weight) * shown[i].radius / gap;
  }
  return sum;
}

struct Shown {
  std::vector<Outlier> values;
  double bound = HUGE_VAL, leaning = 0;
};

// The most of the counted values, from the outside in, that every probe shows.
Shown shown_by_all(const Counted& all, const std::vector<ProbeRun>& probes, const std::vector<Nodes>& nodes) {
  Shown most{.values = all.values};
  for (; !most.values.empty(); most.values.pop_back()) {
    const size_t next = most.values.size();
    most.bound =
        next < all.values.size() ? 0.5 * (most.values.back().value + all.values[next].value) : all.bound;
    most.leaning = 0;
    bool shown = true;
    for (size_t p = 0; p < probes.size() && shown; ++p) {
      const auto error = leaning(nodes[p], probes[p].slack, most.values, most.bound);
      shown = error.has_value();
      most.leaning = std::max(most.leaning, error.value_or(0));
    }
    if (shown) return most;
  }
  return {};
}

Shown outliers_at(End end, const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules) {
  std::vector<Nodes> nodes;
  for (const auto& rule : rules) nodes.push_back(seen_from(end, rule));
  Shown best;
  for (size_t p = 0; p < probes.size(); ++p) {
    Shown shown = shown_by_all(counted(end, probes[p], nodes[p]), probes, nodes);
    if (shown.values.size() > best.values.size()) best = std::move(shown);
  }
  return best;
}

}  // namespace

Outliers find_outliers(const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules) {
  Shown upper = outliers_at(End::upper, probes, rules), lower = outliers_at(End::lower, probes, rules);
  Outliers all{.values = std::move(upper.values),
               .lower = -lower.bound,
               .upper = upper.bound,
               .leaning = upper.leaning + lower.leaning};
  for (auto value = lower.values.rbegin(); value != lower.values.rend(); ++value) {
    all.values.push_back({-value->value, value->radius});
  }
  const auto nothing_left = [&](const Quadrature& rule) {
    return std::ranges::none_of(rule.nodes, [&](double x) { return all.lower <= x && x <= all.upper; });
  };
  return std::ranges::any_of(rules, nothing_left) ? Outliers{} : all;
}

}  // namespace ritzflow::krylov
