#include "core/random_order.h"

#include <algorithm>
#include <utility>

namespace ritzflow {

std::vector<int64_t> random_order(const Philox& random, int64_t n) {
  std::vector<std::pair<uint64_t, int64_t>> keyed;
  for (int64_t i = 0; i < n; ++i) keyed.emplace_back(random.bits(static_cast<uint64_t>(i)), i);
  std::ranges::sort(keyed);
  std::vector<int64_t> order;
  for (const auto& [key, i] : keyed) order.push_back(i);
  return order;
}

}  // namespace ritzflow
