#include "krylov/process/wanted.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ritzflow::krylov {

std::vector<WantedEnd> wanted_ends(const std::vector<double>& values, Which which, int64_t k) {
  std::vector<size_t> down(values.size());
  std::iota(down.begin(), down.end(), size_t{0});
  std::vector<size_t> up(down.rbegin(), down.rend());
  k = std::min(k, static_cast<int64_t>(values.size()));
  switch (which) {
    case Which::largest:
      return {{down, k}};
    case Which::smallest:
      return {{up, k}};
    case Which::both: {
      // The ends share no candidate: each looks at its own half only.
      const auto top = static_cast<std::ptrdiff_t>((values.size() + 1) / 2);
      std::vector<size_t> upper(down.begin(), down.begin() + top);
      std::vector<size_t> lower(up.begin(), up.end() - top);
      return {{upper, (k + 1) / 2}, {lower, k / 2}};
    }
    case Which::magnitude:
      std::stable_sort(down.begin(), down.end(),
                       [&](size_t a, size_t b) { return std::abs(values[a]) > std::abs(values[b]); });
      return {{down, k}};
  }
  return {};
}

int64_t wanted_converged(const std::vector<double>& values, const std::vector<bool>& converged, Which which,
                         int64_t k) {
  int64_t sum = 0;
  for (const auto& [order, count] : wanted_ends(values, which, k)) {
    const auto wanted = order.begin() + std::min(count, static_cast<int64_t>(order.size()));
    sum += std::count_if(order.begin(), wanted, [&](size_t i) { return converged[i]; });
  }
  return sum;
}

}  // namespace ritzflow::krylov
