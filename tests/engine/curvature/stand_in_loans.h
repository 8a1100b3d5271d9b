#pragma once
#include <ATen/core/Tensor.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <vector>

namespace ritzflow::curvature::test {

/// While it lives, allocations of this thread are not reported: the memory in which the CPU's kernels work.
class UnreportedMemory {
 public:
  UnreportedMemory();

 private:
  c10::DebugInfoGuard guard_;
};

/// The tensors of the stand-in device that one call of a CPU kernel is lent, as tensors of the host over the
/// same memory.
class Loans {
 public:
  Loans() = default;
  ~Loans();
  Loans(const Loans&) = delete;
  Loans& operator=(const Loans&) = delete;

  /// `t` as a tensor of the host: the same one for the same tensor, one storage for tensors that share one.
  at::Tensor lend(const at::Tensor& t);

  /// Brings to the device what the kernel did to sizes, strides and storages of what it was lent.
  void settle();

  /// What the kernel returned, as a tensor of the device: one that it was lent, a view of one, or a new one.
  at::Tensor taken_back(const at::Tensor& host);

 private:
  template <class T>
  struct Pair {
    T device, host;
  };

  c10::Storage lend(const c10::Storage& s);
  c10::Storage taken_back(const c10::Storage& host);

  std::vector<Pair<at::Tensor>> tensors_;
  std::vector<Pair<c10::Storage>> storages_;
  std::vector<at::Tensor> results_;  ///< to be freed unreported
};

}  // namespace ritzflow::curvature::test
