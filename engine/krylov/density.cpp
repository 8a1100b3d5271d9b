#include "krylov/density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "krylov/certificate.h"
#include "krylov/tridiagonal.h"

namespace ritzflow {
namespace {

struct Quadrature {
  std::vector<double> nodes;    // ascending
  std::vector<double> weights;  // s_1i^2
};

struct Range {
  double lower = 0, upper = 0;
};

Quadrature gauss(const ProbeRun& probe) {
  TridiagonalEigen eigen = tridiagonal_eigen(probe.alpha, probe.beta);
  for (double& s : eigen.first) s *= s;
  return {std::move(eigen.values), std::move(eigen.first)};
}

// The ends of the spectrum with probability 1 - delta: the tightest of all probes.
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
  return {std::min(range.lower, seen.lower), std::max(range.upper, seen.upper)};
}

// Chebyshev-Markov-Stieltjes bounds of Psi_v(x).
Range sandwich(const Quadrature& rule, double x) {
  const auto up_to = std::upper_bound(rule.nodes.begin(), rule.nodes.end(), x) - rule.nodes.begin();
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
  Distribution(const std::vector<ProbeRun>& probes, const DensityOptions& options) : options_(options) {
    for (const auto& probe : probes) rules_.push_back(gauss(probe));
    range_ = support(probes, rules_, options);
  }

  const Range& range() const { return range_; }

  // Mean over probes of sum_i w_i g(theta_i).
  template <class F>
  double mean(F g) const {
    double sum = 0;
    for (const auto& rule : rules_) {
      for (size_t i = 0; i < rule.nodes.size(); ++i) sum += rule.weights[i] * g(rule.nodes[i]);
    }
    return sum / static_cast<double>(rules_.size());
  }

  // Bounds of the share of eigenvalues up to x.
  Range share(double x) const {
    if (x < range_.lower) return {0, 0};
    if (x >= range_.upper) return {1, 1};
    Range all;
    for (const auto& rule : rules_) {
      const Range one = sandwich(rule, x);
      all.lower += std::max(0.0, one.lower - options_.widening) / static_cast<double>(rules_.size());
      all.upper += std::min(1.0, one.upper + options_.widening) / static_cast<double>(rules_.size());
    }
    const double count = 0.5 * static_cast<double>(options_.n + 2) * static_cast<double>(rules_.size());
    return {wilson(all.lower, options_.deviations, count, -1),
            wilson(all.upper, options_.deviations, count, 1)};
  }

  // Bounds of the integral of the share over [a, b]: it is constant between nodes.
  Range integral(double a, double b) const {
    std::vector<double> cuts = {a, b};
    for (double end : {range_.lower, range_.upper}) {
      if (a < end && end < b) cuts.push_back(end);
    }
    for (const auto& rule : rules_) {
      for (double node : rule.nodes) {
        if (a < node && node < b) cuts.push_back(node);
      }
    }
    std::sort(cuts.begin(), cuts.end());
    Range sum;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      const Range level = share(0.5 * (cuts[i] + cuts[i + 1]));
      sum.lower += level.lower * (cuts[i + 1] - cuts[i]);
      sum.upper += level.upper * (cuts[i + 1] - cuts[i]);
    }
    return sum;
  }

 private:
  const DensityOptions& options_;
  std::vector<Quadrature> rules_;
  Range range_;
};

// sum |lambda < 0| / sum |lambda| from the integrals of P over x < 0 and of 1 - P over x > 0.
BoundedValue negative_mass(const Distribution& d) {
  const double negative = d.mean([](double x) { return std::max(-x, 0.0); });
  const double positive = d.mean([](double x) { return std::max(x, 0.0); });
  const double right = std::max(d.range().upper, 0.0);
  const Range n = d.integral(std::min(d.range().lower, 0.0), 0), p = d.integral(0, right);
  const auto ratio = [](double a, double b) { return a + b > 0 ? a / (a + b) : 0; };
  return {ratio(negative, positive), ratio(n.lower, right - p.lower), ratio(n.upper, right - p.upper)};
}

}  // namespace

SpectralDensity spectral_density(const std::vector<ProbeRun>& probes, const DensityOptions& options) {
  if (probes.empty()) throw InputError("a spectral density needs at least one Lanczos run; none was given");
  const Distribution d(probes, options);
  SpectralDensity result;
  result.support_lower = d.range().lower;
  result.support_upper = d.range().upper;
  const double width = d.range().upper - d.range().lower;
  result.bandwidth = options.bandwidth > 0 ? options.bandwidth : width > 0 ? width / 100 : 1;
  const double first = d.range().lower - 3 * result.bandwidth, last = d.range().upper + 3 * result.bandwidth;
  for (int64_t g = 0; g < options.grid_points; ++g) {
    const double x = first + (last - first) * static_cast<double>(g) /
                                 static_cast<double>(std::max<int64_t>(1, options.grid_points - 1));
    const Range share = d.share(x);
    const double scale = 1 / (result.bandwidth * std::sqrt(2 * M_PI));
    result.grid.push_back(x);
    result.cdf.push_back(d.mean([&](double node) { return node <= x ? 1.0 : 0.0; }));
    result.cdf_lower.push_back(share.lower);
    result.cdf_upper.push_back(share.upper);
    result.density.push_back(d.mean(
        [&](double node) { return scale * std::exp(-0.5 * std::pow((x - node) / result.bandwidth, 2)); }));
  }
  const Range below = d.share(-std::numeric_limits<double>::min());
  result.negative_fraction = {d.mean([](double node) { return node < 0 ? 1.0 : 0.0; }), below.lower,
                              below.upper};
  result.negative_mass = negative_mass(d);
  return result;
}

}  // namespace ritzflow
