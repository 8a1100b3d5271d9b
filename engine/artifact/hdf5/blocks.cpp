#include "artifact/hdf5/blocks.h"

#include <algorithm>
#include <numeric>

namespace ritzflow::artifact {
namespace {

// 1, ..., 1, b, full, ..., full.
std::vector<std::int64_t> block_extent(const std::vector<std::int64_t>& shape, std::int64_t limit) {
  std::vector<std::int64_t> extent(shape.size(), 1);
  std::int64_t inner = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    extent[d] = std::min(shape[d], std::max<std::int64_t>(1, limit / inner));
    if (extent[d] < shape[d]) break;
    inner *= shape[d];
  }
  return extent;
}

// Advances `start` to the next block in C order; false after the last one.
bool next_block(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& extent,
                std::vector<std::int64_t>& start) {
  for (std::size_t d = shape.size(); d-- > 0;) {
    start[d] += extent[d];
    if (start[d] < shape[d]) return true;
    start[d] = 0;
  }
  return false;
}

}  // namespace

std::int64_t product_of(const std::vector<std::int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

void for_each_block(const std::vector<std::int64_t>& shape, std::int64_t limit, const BlockVisitor& visit) {
  const auto extent = block_extent(shape, limit);
  std::vector<std::int64_t> start(shape.size(), 0);
  do {
    auto part = extent;
    for (std::size_t d = 0; d < part.size(); ++d) part[d] = std::min(extent[d], shape[d] - start[d]);
    visit(start, part);
  } while (next_block(shape, extent, start));
}

}  // namespace ritzflow::artifact
