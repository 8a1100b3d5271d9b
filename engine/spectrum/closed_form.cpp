#include "spectrum/closed_form.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace ritzflow::spectrum {
namespace {

double distance(double x, const std::vector<double>& descending) {
  const auto below = std::lower_bound(descending.begin(), descending.end(), x, std::greater<>());
  double least = HUGE_VAL;
  if (below != descending.end()) least = x - *below;
  if (below != descending.begin()) least = std::min(least, *std::prev(below) - x);
  return least;
}

int64_t count_above(const std::vector<double>& descending, double x) {
  return std::lower_bound(descending.begin(), descending.end(), x, std::greater<>()) - descending.begin();
}

}  // namespace

ClosedFormCheck check_closed_form(const std::vector<double>& returned, const std::vector<double>& spectrum) {
  double worst = 0;
  for (const double value : returned) worst = std::max(worst, distance(value, spectrum));
  for (const double value : spectrum) {
    if (value < returned.back()) break;
    worst = std::max(worst, distance(value, returned));
  }
  const double norm = std::max(std::abs(spectrum.front()), std::abs(spectrum.back()));
  // Above the smallest returned value by more than rounding: of its own copies none need be there.
  const double threshold = std::nextafter(returned.back() + worst, HUGE_VAL);
  return {norm == 0 ? worst : worst / norm,
          count_above(spectrum, threshold) - count_above(returned, threshold)};
}

}  // namespace ritzflow::spectrum
