#include "krylov/density/density.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "krylov/density/density_grid.h"
#include "krylov/density/share_band.h"
#include "krylov/density/support.h"

namespace ritzflow::krylov {
namespace {

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

// Eigenvalues of a semi-definite operator are negative by rounding only: estimates and bounds see them at 0.
void clip_to_zero(std::vector<Quadrature>& rules, std::vector<Outlier>& outliers) {
  for (auto& rule : rules) {
    for (double& node : rule.nodes) node = std::max(node, 0.0);
  }
  for (auto& outlier : outliers) outlier.value = std::max(outlier.value, 0.0);
}

// An estimate leaves its bounds by rounding only.
double within(const Interval& bounds, double value) {
  return std::min(std::max(value, bounds.lower), bounds.upper);
}

// Chebyshev-Markov-Stieltjes bounds of Psi_v(x), Psi_v moved by up to `slack`. Nodes are moved, not x, and so
// are the cuts of the band: a level begins where its cut lies, to the last bit.
Interval sandwich(const Quadrature& rule, double x, double slack) {
  const auto up_to = [&](double shift) {
    const auto moved = [&](double node) { return node + shift; };
    return std::ranges::upper_bound(rule.nodes, x, {}, moved) - rule.nodes.begin();
  };
  const auto sum = [&](std::ptrdiff_t count) {
    return std::accumulate(rule.weights.begin(), rule.weights.begin() + count, 0.0);
  };
  const auto m = static_cast<std::ptrdiff_t>(rule.nodes.size());
  const std::ptrdiff_t surely = up_to(slack), perhaps = up_to(-slack);
  return {sum(std::max<std::ptrdiff_t>(0, surely - 1)), perhaps >= m ? 1.0 : std::min(1.0, sum(perhaps + 1))};
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
    for (const auto& probe : probes) {
      rules_.push_back(gauss(probe.alpha, probe.beta));
      slack_ = std::max(slack_, probe.slack);
    }
    support_ = support(probes, rules_, options, slack_);
    outliers_ = find_outliers(probes, rules_);
    for (auto& rule : rules_) rule = inside(rule, outliers_);
    if (options.semidefinite) clip_to_zero(rules_, outliers_.values);
  }

  double slack() const { return slack_; }
  const Interval& support_ends() const { return support_; }
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
    std::vector<double> cuts = {support_.lower, std::max(support_.lower, outliers_.lower),
                                std::min(support_.upper, outliers_.upper)};
    for (const auto& outlier : outliers_.values) {
      cuts.push_back(outlier.value - outlier.radius);
      cuts.push_back(outlier.value + outlier.radius);
    }
    for (const auto& rule : rules_) {
      for (const double node : rule.nodes) cuts.insert(cuts.end(), {node - slack_, node + slack_});
    }
    std::ranges::sort(cuts);
    std::vector<Interval> levels;
    for (double x : cuts) levels.push_back(share(x));
    return {std::move(cuts), std::move(levels)};
  }

 private:
  double probes() const { return static_cast<double>(rules_.size()); }
  double others() const { return n_ - static_cast<double>(outliers_.values.size()); }

  // Bounds of the share of eigenvalues up to x.
  Interval share(double x) const {
    if (x < support_.lower) return {0, 0};
    const Interval rest = share_of_others(x);
    Interval known;
    for (const auto& outlier : outliers_.values) {
      known.lower += outlier.value + outlier.radius <= x;
      known.upper += outlier.value - outlier.radius <= x;
    }
    return {std::min(1.0, (known.lower + others() * rest.lower) / n_),
            std::min(1.0, (known.upper + others() * rest.upper) / n_)};
  }

  Interval share_of_others(double x) const {
    if (x < outliers_.lower) return {0, 0};
    if (x >= std::min(support_.upper, outliers_.upper)) return {1, 1};
    const double widening = options_.widening + outliers_.leaning;
    Interval all;
    for (const auto& rule : rules_) {
      const Interval one = sandwich(rule, x, slack_);
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
  double slack_ = 0;  // the largest of all probes
  Interval support_;
  Outliers outliers_;
};

// Share of eigenvalues that are negative beyond the noise.
BoundedValue negative_fraction(const Distribution& d, const ShareBand& band) {
  const Interval below = band.share(-std::numeric_limits<double>::min());
  const double value = d.mean([&](double x) { return x < -d.slack() ? 1.0 : 0.0; });
  return {within(below, value), below.lower, below.upper};
}

// sum |lambda < 0| / sum |lambda| from the integrals of P over x < 0 and of 1 - P over x > 0.
BoundedValue negative_mass(const Distribution& d, const ShareBand& band) {
  const double negative = d.mean([&](double x) { return x < -d.slack() ? -x : 0; });
  const double positive = d.mean([&](double x) { return x > d.slack() ? x : 0; });
  const double left = std::min(d.support_ends().lower, 0.0), right = std::max(d.support_ends().upper, 0.0);
  const Interval n = band.integral(left, 0), p = band.integral(0, right);
  const auto ratio = [](double a, double b) { return a + b > 0 ? a / (a + b) : 0; };
  const auto rest = [&](double integral) { return std::max(0.0, right - integral); };  // < 0 by rounding only
  const double lower = ratio(n.lower, rest(p.lower)), upper = ratio(n.upper, rest(p.upper));
  return {within({lower, upper}, ratio(negative, positive)), lower, upper};
}

}  // namespace

SpectralDensity spectral_density(const std::vector<ProbeRun>& probes, const DensityOptions& options) {
  if (probes.empty()) throw InputError("a spectral density needs at least one Lanczos run; none was given");
  const Distribution d(probes, options);
  const ShareBand band = d.band();
  SpectralDensity result;
  for (const auto& outlier : d.outliers()) result.outliers.push_back(outlier.value);
  const auto [lower, upper] = d.support_ends();
  result.support_lower = lower;
  result.support_upper = upper;
  result.bandwidth = density_bandwidth(lower, upper, options);
  for (const double x : density_grid(lower, upper, result.bandwidth, options.grid_points)) {
    const Interval share = band.share(x), smoothed = band.smoothed(x, result.bandwidth);
    result.grid.push_back(x);
    result.cdf.push_back(within(share, d.mean([&](double node) { return node <= x ? 1.0 : 0.0; })));
    result.cdf_lower.push_back(share.lower);
    result.cdf_upper.push_back(share.upper);
    result.density.push_back(
        within(smoothed, d.mean([&](double node) { return gaussian(x - node, result.bandwidth); })));
    result.density_lower.push_back(smoothed.lower);
    result.density_upper.push_back(smoothed.upper);
  }
  result.negative_fraction = negative_fraction(d, band);
  result.negative_mass = negative_mass(d, band);
  return result;
}

}  // namespace ritzflow::krylov
