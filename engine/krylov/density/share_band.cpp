#include "krylov/density/share_band.h"

#include <algorithm>
#include <cmath>

namespace ritzflow::krylov {

Interval ShareBand::share(double x) const {
  const auto next = std::ranges::upper_bound(cuts_, x);
  return next == cuts_.begin() ? Interval{0, 0} : levels_[static_cast<size_t>(next - cuts_.begin() - 1)];
}

Interval ShareBand::integral(double a, double b) const {
  Interval sum;
  const auto add = [&](double from, double to, const Interval& level) {
    const double length = std::max(0.0, std::min(to, b) - std::max(from, a));
    sum.lower += level.lower * length;
    sum.upper += level.upper * length;
  };
  for (size_t i = 0; i + 1 < cuts_.size(); ++i) add(cuts_[i], cuts_[i + 1], levels_[i]);
  add(cuts_.back(), std::max(b, cuts_.back()), levels_.back());
  return sum;
}

// The Gaussian rises up to x and falls beyond it, so that shares before x count with a minus sign.
Interval ShareBand::smoothed(double x, double bandwidth) const {
  Interval sum;
  const auto add = [&](double from, double to, const Interval& level) {
    const double rise = gaussian(x - std::min(to, x), bandwidth) - gaussian(x - std::min(from, x), bandwidth);
    const double fall = gaussian(x - std::max(from, x), bandwidth) - gaussian(x - std::max(to, x), bandwidth);
    sum.lower += level.lower * fall - level.upper * rise;
    sum.upper += level.upper * fall - level.lower * rise;
  };
  for (size_t i = 0; i + 1 < cuts_.size(); ++i) add(cuts_[i], cuts_[i + 1], levels_[i]);
  add(cuts_.back(), HUGE_VAL, levels_.back());
  return {std::max(0.0, sum.lower), std::max(0.0, sum.upper)};
}

double gaussian(double distance, double bandwidth) {
  return std::exp(-0.5 * std::pow(distance / bandwidth, 2)) / (bandwidth * std::sqrt(2 * M_PI));
}

}  // namespace ritzflow::krylov
