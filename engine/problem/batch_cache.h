#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "problem/empirical_risk.h"

namespace ritzflow::problem {

/// Bytes that LibTorch allocates on a device for some work in one thread.
struct Allocation {
  int64_t kept = 0;  ///< held after it
  int64_t peak = 0;  ///< at most, at any time, above what was held before
};

/// Runs `work` and counts its allocations on `device` in this thread.
Allocation allocation_of(at::Device device, const std::function<void()>& work);

/// What an operator needs of each micro-batch and what does not depend on the vector (logits, graphs, draws).
/// It is kept between products or recomputed for each, as the risk's options say. Different batches may be
/// asked for by different threads at the same time.
template <class T>
class BatchCache {
 public:
  using Make = std::function<std::shared_ptr<T>(int64_t batch, model::Lifetime lifetime)>;

  BatchCache(const EmpiricalRisk& risk, Make make) : make_(std::move(make)) {
    if (risk.options().lifetime == model::Lifetime::many_products) {
      kept_.resize(static_cast<size_t>(risk.batches()));
    }
  }

  std::shared_ptr<T> at(int64_t batch) {
    if (kept_.empty()) return make_(batch, model::Lifetime::one_product);
    auto& slot = kept_[static_cast<size_t>(batch)];
    if (!slot) slot = make_(batch, model::Lifetime::many_products);
    return slot;
  }

 private:
  Make make_;
  std::vector<std::shared_ptr<T>> kept_;
};

}  // namespace ritzflow::problem
