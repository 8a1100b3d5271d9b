#include "model/tensor_memory.h"

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <vector>

namespace ritzflow::model::test {
namespace {

/// Bytes of the process in memory, those that malloc keeps included.
int64_t resident() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, pages = 0;
  file >> all >> pages;
  return pages * sysconf(_SC_PAGE_SIZE);
}

at::Tensor filled(int64_t bytes) { return at::empty({bytes}, at::kByte).fill_(1); }

TEST(TensorMemory, AFreedTensorServesTheNextOneOfItsSize) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have an allocator of their own";
#endif
  reuse_tensor_memory();
  constexpr int64_t kBytes = 1 << 20;
  std::vector<at::Tensor> tensors(64);
  std::vector<std::unique_ptr<char[]>> between;
  // Small pieces are taken all the time, and the first ones go into what alignment leaves of a block.
  const auto fill = [&] {
    for (auto& tensor : tensors) {
      if (!tensor.defined()) tensor = filled(kBytes);
      for (int i = 0; i < 4; ++i) between.push_back(std::make_unique<char[]>(24));
    }
  };
  fill();
  const int64_t before = resident();
  for (int round = 0; round < 4; ++round) {
    for (size_t i = 0; i < tensors.size(); i += 2) tensors[i].reset();
    fill();
  }
  EXPECT_LE(resident() - before, 4 * kBytes);
}

TEST(TensorMemory, TensorsBeginAtACacheLine) {
  reuse_tensor_memory();
  for (const int64_t bytes : {1, 63, 64, 65, 4096, 100001}) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(filled(bytes).data_ptr()) % 64, 0) << bytes;
  }
  EXPECT_EQ(at::empty({0}, at::kByte).numel(), 0);
}

}  // namespace
}  // namespace ritzflow::model::test
