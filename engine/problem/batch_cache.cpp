#include "problem/batch_cache.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <mutex>

namespace ritzflow::problem {
namespace {

/// Sums what LibTorch's allocator of a device hands out and takes back in the thread where it is installed,
/// and tells the counter under which it is installed. The thread that walks a graph backward on a GPU counts
/// along; it may free what it held a little after its work is done.
class AllocationCounter : public c10::MemoryReportingInfoBase {
 public:
  explicit AllocationCounter(c10::Device device)
      : device_(device),
        below_(c10::ThreadLocalDebugInfo::current()),
        outer_(c10::ThreadLocalDebugInfo::get(c10::DebugInfoKind::PROFILER_STATE)) {}

  void reportMemoryUsage(void* p, int64_t size, size_t a, size_t r, c10::Device device) override {
    if (outer_) static_cast<c10::MemoryReportingInfoBase*>(outer_)->reportMemoryUsage(p, size, a, r, device);
    if (device.type() != device_.type()) return;
    const std::lock_guard lock(mutex_);
    bytes_.kept += size;
    bytes_.peak = std::max(bytes_.peak, bytes_.kept);
  }
  bool memoryProfilingEnabled() const override { return true; }
  Allocation bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  c10::Device device_;
  mutable std::mutex mutex_;
  Allocation bytes_;
  std::shared_ptr<c10::ThreadLocalDebugInfo> below_;  ///< what owns outer_
  c10::DebugInfoBase* outer_;
};

}  // namespace

Allocation allocation_of(at::Device device, const std::function<void()>& work) {
  const auto counter = std::make_shared<AllocationCounter>(device);
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
  work();
  return counter->bytes();
}

}  // namespace ritzflow::problem
