#include "model/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>

namespace ritzflow::model {
namespace {

constexpr std::uintptr_t kAlignment = 64;

// What stands before the first byte of a tensor.
struct Header {
  void* block;  // of malloc()
  std::size_t bytes;
};

Header& header_of(void* data) { return static_cast<Header*>(data)[-1]; }

// To the memory plan's counter and to LibTorch's profiler.
void report(void* data, int64_t bytes) {
  if (!c10::memoryProfilingEnabled()) return;
  c10::reportMemoryUsageToProfiler(data, bytes, 0, 0, c10::Device(c10::DeviceType::CPU));
}

void give_back(void* data) {
  if (data == nullptr) return;
  const Header header = header_of(data);
  report(data, -static_cast<int64_t>(header.bytes));
  std::free(header.block);
}

class TensorAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* const data = bytes == 0 ? nullptr : taken(bytes);
    return {data, data, &give_back, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static void* taken(std::size_t bytes) {
    void* const block = std::malloc(bytes + sizeof(Header) + kAlignment);
    if (block == nullptr) throw std::bad_alloc();
    const auto behind_header = reinterpret_cast<std::uintptr_t>(block) + sizeof(Header);
    const auto place = (behind_header + kAlignment - 1) / kAlignment * kAlignment;
    void* const data = reinterpret_cast<void*>(place);  // NOLINT(performance-no-int-to-ptr)
    header_of(data) = {block, bytes};
    report(data, static_cast<int64_t>(bytes));
    return data;
  }
};

}  // namespace

void reuse_tensor_memory() {
  static TensorAllocator allocator;
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc accepts
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  c10::SetCPUAllocator(&allocator);
}

}  // namespace ritzflow::model
