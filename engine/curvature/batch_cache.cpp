#include "curvature/batch_cache.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace ritzflow {
namespace {

/// Sums what LibTorch's CPU allocator hands out and takes back in the thread where it is installed.
class AllocationCounter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    bytes.kept += size;
    bytes.peak = std::max(bytes.peak, bytes.kept);
  }
  bool memoryProfilingEnabled() const override { return true; }
  Allocation bytes;
};

}  // namespace

Allocation allocation_of(const std::function<void()>& work) {
  const auto counter = std::make_shared<AllocationCounter>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
  work();
  return counter->bytes;
}

bool keep_linearizations(int64_t bytes, int64_t batches, int64_t budget) {
  const bool keep = bytes <= budget / batches;
  spdlog::info("{} linearizations of {:.1f} MiB each: {} ({:.0f} MiB may be used)", batches,
               static_cast<double>(bytes) / (1 << 20),
               keep ? "kept between products" : "rebuilt for each product",
               static_cast<double>(budget) / (1 << 20));
  return keep;
}

}  // namespace ritzflow
