#include "stand_in_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <cstring>
#include <memory>

#include "stand_in_device.h"

namespace ritzflow::curvature::test {
namespace {

/// From where memory is to where the device says it is. No system maps anything there unless asked to:
/// programs live in the lowest 2^47 bytes (x86-64) or 2^48 (arm64). So kernels need no lock, and nobody else
/// a chance.
constexpr std::ptrdiff_t offset = std::ptrdiff_t{1} << 50;

/// A piece of memory of the device, reported for as long as it lives.
class Block {
 public:
  explicit Block(std::size_t bytes) : bytes_(bytes), memory_(c10::alloc_cpu(bytes)) {
    std::memset(memory_, 0xff, bytes);
    report(static_cast<int64_t>(bytes));
  }
  ~Block() {
    report(-static_cast<int64_t>(bytes_));
    c10::free_cpu(memory_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void* address() const { return static_cast<char*>(memory_) + offset; }

 private:
  void report(int64_t bytes) const {
    if (!c10::memoryProfilingEnabled()) return;
    c10::reportMemoryUsageToProfiler(address(), bytes, 0, 0, stand_in_device());
  }

  std::size_t bytes_;
  void* memory_;
};

class DeviceAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, stand_in_device()};
    auto block = std::make_unique<Block>(bytes);
    void* const address = block->address();
    return {address, block.release(), [](void* b) { delete static_cast<Block*>(b); }, stand_in_device()};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(host_address(to), host_address(from), bytes);
  }
};

}  // namespace

void* host_address(const void* device_address) {
  if (device_address == nullptr) return nullptr;
  return static_cast<char*>(const_cast<void*>(device_address)) - offset;
}

c10::Allocator& device_allocator() {
  static DeviceAllocator allocator;
  return allocator;
}

void copy_contents(const c10::Storage& host, const c10::Storage& device) {
  c10::DataPtr fresh = device_allocator().allocate(host.nbytes());
  if (host.nbytes() > 0) std::memcpy(host_address(fresh.get()), host.data(), host.nbytes());
  device.unsafeGetStorageImpl()->set_data_ptr_noswap(std::move(fresh));
  device.unsafeGetStorageImpl()->set_nbytes(host.nbytes());
}

c10::Storage copied_to_device(const c10::Storage& host) {
  c10::Storage device({}, 0, device_allocator().allocate(0), &device_allocator(), /*resizable=*/true);
  copy_contents(host, device);
  return device;
}

c10::Storage seen_from_host(const c10::Storage& device) {
  c10::DataPtr memory(host_address(device.data()), c10::Device(c10::kCPU));
  return {{}, device.nbytes(), std::move(memory), c10::GetCPUAllocator(), /*resizable=*/true};
}

}  // namespace ritzflow::curvature::test
