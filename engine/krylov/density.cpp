#include "krylov/density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "krylov/probabilistic_bound.h"
#include "krylov/share_band.h"

namespace ritzflow {
namespace {

// The ends of the spectrum with probability 1 - delta: the tightest of all probes. Ritz values of a
// semi-definite operator are negative by rounding only.
Range support(const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules,
              const DensityOptions& options) {
  Range range{-HUGE_VAL, HUGE_VAL}, seen{HUGE_VAL, -HUGE_VAL};
  for (size_t p = 0; p < probes.size(); ++p) {
    std::vector<double> mirrored = probes[p].alpha;
    for (double& a : mirrored) a = -a;
    const double least = rules[p].nodes.front(), largest = rules[p].nodes.back();
    const bool whole = probes[p].beta.back() == 0;  // an invariant subspace
    const auto bound = [&](const std::vector<double>& alpha) {
      return probabilistic_upper_bound(alpha, probes[p].beta, options.delta, options.n);
    };
    range.upper = std::min(range.upper, whole ? largest : bound(probes[p].alpha));
    range.lower = std::max(range.lower, whole ? least : -bound(mirrored));
    seen = {std::min(seen.lower, least), std::max(seen.upper, largest)};
  }
  const double lower = std::min(range.lower, seen.lower);
  return {options.semidefinite ? std::max(lower, 0.0) : lower, std::max(range.upper, seen.upper)};
}

// The nodes inside [lower, upper], their weights divided by what they sum up to.
Quadrature inside(const Quadrature& rule, const Outliers& outliers) {
  Quadrature rest;
  double sum = 0;
  for (size_t i = 0; i < rule.nodes.size(); ++i) {
    if (rule.nodes[i] < outliers.lower || rule.nodes[i] > outliers.upper) continue;
    rest.nodes.push_back(rule.nodes[i]);
    rest.weights.push_back(rule.weights[i]);
    sum += rule.weights[i];
  }
  for (double& w : rest.weights) w /= sum;
  return rest;
}

// Chebyshev-Markov-Stieltjes bounds of Psi_v(x).
Range sandwich(const Quadrature& rule, double x) {
  const auto up_to = std::ranges::upper_bound(rule.nodes, x) - rule.nodes.begin();
  const auto sum = [&](std::ptrdiff_t count) {
    return std::accumulate(rule.weights.begin(), rule.weights.begin() + count, 0.0);
  };
  const auto m = static_cast<std::ptrdiff_t>(rule.nodes.size());
  return {sum(std::max<std::ptrdiff_t>(0, up_to - 1)), up_to >= m ? 1.0 : std::min(1.0, sum(up_to + 1))};
}

// Every P with |p - P| <= z sqrt(P (1 - P) / count), p the observed mean: one end of Wilson's interval.
double wilson(double p, double z, double count, double sign) {
  const double square = z * z;
  const double centre = p + square / (2 * count);
  const double spread = z * std::sqrt(std::max(0.0, p * (1 - p) / count + square / (4 * count * count)));
  return std::clamp((centre + sign * spread) / (1 + square / count), 0.0, 1.0);
}

class Distribution {
 public:
  Distribution(const std::vector<ProbeRun>& probes, const DensityOptions& options)
      : options_(options), n_(static_cast<double>(options.n)) {
    for (const auto& probe : probes) rules_.push_back(gauss(probe));
    support_ = support(probes, rules_, options);
    outliers_ = find_outliers(probes, rules_);
    for (auto& rule : rules_) rule = inside(rule, outliers_);
  }

  const Range& support_ends() const { return support_; }
  const std::vector<Outlier>& outliers() const { return outliers_.values; }

  // Sum of g over outliers, and mean over probes of sum_i w_i g(theta_i) for the others.
  template <class F>
  double mean(F g) const {
    double known = 0, sum = 0;
    for (const auto& outlier : outliers_.values) known += g(outlier.value);
    for (const auto& rule : rules_) {
      for (size_t i = 0; i < rule.nodes.size(); ++i) sum += rule.weights[i] * g(rule.nodes[i]);
    }
    return (known + others() * sum / probes()) / n_;
  }

  ShareBand band() const {
    std::vector<double> cuts = {std::max(support_.lower, outliers_.lower),
                                std::min(support_.upper, outliers_.upper)};
    for (const auto& outlier : outliers_.values) {
      cuts.push_back(outlier.value - outlier.radius);
      cuts.push_back(outlier.value + outlier.radius);
    }
    for (const auto& rule : rules_) cuts.insert(cuts.end(), rule.nodes.begin(), rule.nodes.end());
    std::ranges::sort(cuts);
    std::vector<Range> levels;
    for (double x : cuts) levels.push_back(share(x));
    return {std::move(cuts), std::move(levels)};
  }

 private:
  double probes() const { return static_cast<double>(rules_.size()); }
  double others() const { return n_ - static_cast<double>(outliers_.values.size()); }

  // Bounds of the share of eigenvalues up to x.
  Range share(double x) const {
    const Range rest = share_of_others(x);
    Range known;
    for (const auto& outlier : outliers_.values) {
      known.lower += outlier.value + outlier.radius <= x;
      known.upper += outlier.value - outlier.radius <= x;
    }
    return {std::min(1.0, (known.lower + others() * rest.lower) / n_),
            std::min(1.0, (known.upper + others() * rest.upper) / n_)};
  }

  Range share_of_others(double x) const {
    if (x < std::max(support_.lower, outliers_.lower)) return {0, 0};
    if (x >= std::min(support_.upper, outliers_.upper)) return {1, 1};
    const double widening = options_.widening + outliers_.leaning;
    Range all;
    for (const auto& rule : rules_) {
      const Range one = sandwich(rule, x);
      all.lower += std::max(0.0, one.lower - widening) / probes();
      all.upper += std::min(1.0, one.upper + widening) / probes();
    }
    const double count = 0.5 * (others() + 2) * probes();
    return {wilson(all.lower, options_.deviations, count, -1),
            wilson(all.upper, options_.deviations, count, 1)};
  }

  const DensityOptions& options_;
  double n_;
  std::vector<Quadrature> rules_;
  Range support_;
  Outliers outliers_;
};

// sum |lambda < 0| / sum |lambda| from the integrals of P over x < 0 and of 1 - P over x > 0.
BoundedValue negative_mass(const Distribution& d, const ShareBand& band) {
  const double negative = d.mean([](double x) { return std::max(-x, 0.0); });
  const double positive = d.mean([](double x) { return std::max(x, 0.0); });
  const double left = std::min(d.support_ends().lower, 0.0), right = std::max(d.support_ends().upper, 0.0);
  const Range n = band.integral(left, 0), p = band.integral(0, right);
  const auto ratio = [](double a, double b) { return a + b > 0 ? a / (a + b) : 0; };
  const double upper = ratio(n.upper, right - p.upper);
  return {std::min(ratio(negative, positive), upper), ratio(n.lower, right - p.lower), upper};
}

}  // namespace

std::vector<double> density_grid(double lower, double upper, double bandwidth, int64_t points) {
  const double first = lower - 3 * bandwidth, last = upper + 3 * bandwidth;
  std::vector<double> grid;
  for (int64_t g = 0; g < points; ++g) {
    grid.push_back(first + (last - first) * static_cast<double>(g) /
                               static_cast<double>(std::max<int64_t>(1, points - 1)));
  }
  return grid;
}

SpectralDensity spectral_density(const std::vector<ProbeRun>& probes, const DensityOptions& options) {
  if (probes.empty()) throw InputError("a spectral density needs at least one Lanczos run; none was given");
  const Distribution d(probes, options);
  const ShareBand band = d.band();
  SpectralDensity result;
  for (const auto& outlier : d.outliers()) result.outliers.push_back(outlier.value);
  const auto [lower, upper] = d.support_ends();
  result.support_lower = lower;
  result.support_upper = upper;
  result.bandwidth = options.bandwidth > 0 ? options.bandwidth : upper > lower ? (upper - lower) / 100 : 1;
  for (const double x : density_grid(lower, upper, result.bandwidth, options.grid_points)) {
    const Range share = band.share(x), smoothed = band.smoothed(x, result.bandwidth);
    result.grid.push_back(x);
    result.cdf.push_back(d.mean([&](double node) { return node <= x ? 1.0 : 0.0; }));
    result.cdf_lower.push_back(share.lower);
    result.cdf_upper.push_back(share.upper);
    result.density.push_back(d.mean([&](double node) { return gaussian(x - node, result.bandwidth); }));
    result.density_lower.push_back(smoothed.lower);
    result.density_upper.push_back(smoothed.upper);
  }
  const Range below = band.share(-std::numeric_limits<double>::min());
  const double fraction = d.mean([](double node) { return node < 0 ? 1.0 : 0.0; });
  result.negative_fraction = {std::min(fraction, below.upper), below.lower, below.upper};
  result.negative_mass = negative_mass(d, band);
  return result;
}

}  // namespace ritzflow
