#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace ritzflow::artifact {

/// Start and extent of a block along each dimension.
using BlockVisitor =
    std::function<void(const std::vector<std::int64_t>& start, const std::vector<std::int64_t>& extent)>;

/// Cuts a shape without zeros into blocks of at most `limit` elements (at least one), in C order.
void for_each_block(const std::vector<std::int64_t>& shape, std::int64_t limit, const BlockVisitor& visit);

/// Product of the sizes; 1 for none.
std::int64_t product_of(const std::vector<std::int64_t>& sizes);

}  // namespace ritzflow::artifact
