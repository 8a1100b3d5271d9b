#pragma once
#include <vector>

namespace ritzflow::krylov {

struct Interval {
  double lower = 0, upper = 0;
};

/// Bounds of a distribution function that are constant between cuts: level[i] on [cut[i], cut[i+1]), 0 before
/// the first, 1 from the last on.
class ShareBand {
 public:
  /// `cuts` ascending, `levels` of the same length; the last level is {1, 1}.
  ShareBand(std::vector<double> cuts, std::vector<Interval> levels)
      : cuts_(std::move(cuts)), levels_(std::move(levels)) {}

  /// Bounds of the share up to x.
  Interval share(double x) const;

  /// Bounds of the integral of the share over [a, b].
  Interval integral(double a, double b) const;

  /// Bounds of the density at x smoothed by a Gaussian of standard deviation `bandwidth`.
  Interval smoothed(double x, double bandwidth) const;

 private:
  std::vector<double> cuts_;
  std::vector<Interval> levels_;
};

/// N(distance; 0, bandwidth^2).
double gaussian(double distance, double bandwidth);

}  // namespace ritzflow::krylov
