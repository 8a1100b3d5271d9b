#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "curvature/empirical_risk.h"

namespace ritzflow {

/// Bytes that LibTorch allocates on the CPU for some work in one thread.
struct Allocation {
  int64_t kept = 0;  ///< held behind it
  int64_t peak = 0;  ///< at most, at any time, above what was held before
};

/// Runs `work` and counts its allocations in this thread.
Allocation allocation_of(const std::function<void()>& work);

/// Whether `batches` objects of `bytes` each may be kept within `budget`; says so in one line of the log.
bool keep_linearizations(int64_t bytes, int64_t batches, int64_t budget);

/// What an operator needs of each micro-batch and what does not depend on the vector (logits, graphs, draws).
/// It is kept between products if all of it fits the memory budget, else made anew for each product; the bits
/// are the same. Different batches may be asked for by different threads at the same time.
template <class T>
class BatchCache {
 public:
  using Make = std::function<std::shared_ptr<T>(int64_t batch, Lifetime lifetime)>;

  BatchCache(const EmpiricalRisk& risk, Make make) : make_(std::move(make)) {
    std::shared_ptr<T> first;
    const int64_t bytes = allocation_of([&] { first = make_(0, Lifetime::many_products); }).kept;
    if (keep_linearizations(bytes, risk.batches(), risk.options().memory_budget)) {
      kept_.resize(static_cast<size_t>(risk.batches()));
      kept_.front() = first;
    }
  }

  std::shared_ptr<T> at(int64_t batch) {
    if (kept_.empty()) return make_(batch, Lifetime::one_product);
    auto& slot = kept_[static_cast<size_t>(batch)];
    if (!slot) slot = make_(batch, Lifetime::many_products);
    return slot;
  }

 private:
  Make make_;
  std::vector<std::shared_ptr<T>> kept_;
};

}  // namespace ritzflow
