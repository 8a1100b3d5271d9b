#pragma once
#include <cstdint>
#include <vector>

#include "settings/choices.h"

namespace ritzflow {

/// One end of the spectrum: candidates in the order in which they are wanted, and how many are.
struct WantedEnd {
  std::vector<size_t> order;
  int64_t count = 0;
};

/// The ends that `which` asks for, over `values` descending. `k` is cut to the number of values.
std::vector<WantedEnd> wanted_ends(const std::vector<double>& values, Which which, int64_t k);

/// How many of the wanted ones among `values` (descending) have converged. Others in the list, such as copies
/// that a certificate found at one end, do not stand in for a wanted one at the other.
int64_t wanted_converged(const std::vector<double>& values, const std::vector<bool>& converged, Which which,
                         int64_t k);

/// Relative error of a product for bounds that must hold: its noise, and four roundings of its arithmetic
/// with the distance `epsilon` from 1 to the next number: those that are the same for every vector (of
/// weights, of logits) show in no probe.
double product_error(double noise, double epsilon);

/// The method's own bound: a wanted pair is converged when its residual is at most this.
/// tol * max(|theta|, eps^(2/3) ||A||).
double residual_goal(double tol, double theta, double norm_a);

}  // namespace ritzflow
