#include "krylov/ritz/ghosts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "krylov/process/tridiagonal.h"

namespace ritzflow::krylov {
namespace {

bool has_value_near(const std::vector<double>& sorted, double value, double tolerance) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), value - tolerance);
  return at != sorted.end() && *at <= value + tolerance;
}

}  // namespace

std::vector<TridiagonalVerdict> cullum_willoughby(std::span<const double> alpha, std::span<const double> beta,
                                                  std::span<const double> values,
                                                  std::span<const double> first) {
  const size_t m = values.size();
  std::vector<TridiagonalVerdict> verdicts(m, TridiagonalVerdict::good);
  if (m < 2) return verdicts;
  const double norm_t = std::max(std::abs(values.front()), std::abs(values.back()));
  const double tolerance = 10 * static_cast<double>(m) * std::numeric_limits<double>::epsilon() * norm_t;
  const TridiagonalEigen shorter = tridiagonal_eigen(alpha.subspan(1), beta.subspan(1));
  for (size_t begin = 0, end; begin < m; begin = end) {
    end = begin + 1;
    while (end < m && values[end] - values[end - 1] <= tolerance) ++end;
    if (end - begin == 1) {
      if (has_value_near(shorter.values, values[begin], tolerance))
        verdicts[begin] = TridiagonalVerdict::spurious;
      continue;
    }
    size_t best = begin;
    for (size_t i = begin; i < end; ++i) {
      verdicts[i] = TridiagonalVerdict::copy;
      if (std::abs(first[i]) > std::abs(first[best])) best = i;
    }
    verdicts[best] = TridiagonalVerdict::good;
  }
  return verdicts;
}

}  // namespace ritzflow::krylov
