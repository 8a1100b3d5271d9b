#include "core/resident_memory.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <limits>
#include <vector>

namespace ritzflow::test {
namespace {

TEST(ResidentMemory, CountsWhatIsInUseAndNotWhatMallocKeeps) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have an allocator of their own";
#endif
  constexpr int64_t kBlock = 1 << 20, kBlocks = 64;
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  const int64_t before = resident_memory();
  std::vector<std::vector<char>> blocks;
  for (int64_t i = 0; i < kBlocks; ++i) blocks.emplace_back(kBlock, 'x');
  EXPECT_GE(resident_memory() - before, kBlocks * kBlock);
  blocks.clear();
  EXPECT_LE(resident_memory() - before, 4 * kBlock);
}

}  // namespace
}  // namespace ritzflow::test
