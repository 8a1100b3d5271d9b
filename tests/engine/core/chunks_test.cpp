#include "core/chunks.h"

#include <gtest/gtest.h>

#include <vector>

namespace ritzflow {
namespace {

// More chunks than are held at once: the sums are those of one loop over all of them.
TEST(Chunks, PartialSumsAreAddedInOrderHoweverManyThereAre) {
  constexpr int64_t chunks = 41, n = chunks * kChunk - 7;
  std::vector<double> sums(1 << 17), expected(2);
  reduce_chunks(n, sums, [](int64_t first, int64_t last, double* partial) {
    partial[0] = 1 / static_cast<double>(first + 1);
    partial[1] = static_cast<double>(last - first);
  });
  for (int64_t c = 0; c < chunks; ++c) expected[0] += 1 / static_cast<double>(c * kChunk + 1);
  expected[1] = n;
  EXPECT_EQ(sums[0], expected[0]);
  EXPECT_EQ(sums[1], expected[1]);
  EXPECT_EQ(sums.back(), 0);
}

}  // namespace
}  // namespace ritzflow
