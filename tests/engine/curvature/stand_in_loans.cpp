#include "stand_in_loans.h"

#include <c10/core/Allocator.h>

#include <algorithm>
#include <memory>

#include "stand_in_memory.h"

namespace ritzflow::curvature::test {
namespace {

struct Deaf : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void*, int64_t, size_t, size_t, c10::Device) override {}
  bool memoryProfilingEnabled() const override { return false; }
};

/// A tensor of the layout and type of `like`.
at::Tensor tensor_over(c10::Storage storage, c10::DispatchKey key, const at::Tensor& like) {
  at::Tensor t =
      at::detail::make_tensor<at::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), like.dtype());
  t.unsafeGetTensorImpl()->set_sizes_and_strides(like.sizes(), like.strides(), like.storage_offset());
  return t;
}

}  // namespace

UnreportedMemory::UnreportedMemory() : guard_(c10::DebugInfoKind::PROFILER_STATE, std::make_shared<Deaf>()) {}

Loans::~Loans() {
  const UnreportedMemory unreported;
  results_.clear();
  for (auto& pair : tensors_) pair.host.reset();
  for (auto& pair : storages_) pair.host = {};
}

at::Tensor Loans::lend(const at::Tensor& t) {
  const auto known = std::ranges::find_if(tensors_, [&](const auto& pair) { return pair.device.is_same(t); });
  if (known != tensors_.end()) return known->host;
  return tensors_.emplace_back(t, tensor_over(lend(t.storage()), c10::DispatchKey::CPU, t)).host;
}

c10::Storage Loans::lend(const c10::Storage& s) {
  const auto known =
      std::ranges::find_if(storages_, [&](const auto& pair) { return pair.device.is_alias_of(s); });
  if (known != storages_.end()) return known->host;
  return storages_.emplace_back(s, seen_from_host(s)).host;
}

void Loans::settle() {
  for (const auto& [device, host] : storages_) {
    if (host.data() != host_address(device.data())) copy_contents(host, device);
  }
  for (const auto& [device, host] : tensors_) {
    c10::TensorImpl* const impl = device.unsafeGetTensorImpl();
    const c10::Storage storage = taken_back(host.storage());
    if (!storage.is_alias_of(device.storage())) impl->set_storage_keep_dtype(storage);
    if (host.sizes() != device.sizes() || host.strides() != device.strides() ||
        host.storage_offset() != device.storage_offset()) {
      impl->set_sizes_and_strides(host.sizes(), host.strides(), host.storage_offset());
    }
  }
}

at::Tensor Loans::taken_back(const at::Tensor& host) {
  const auto lent = std::ranges::find_if(tensors_, [&](const auto& pair) { return pair.host.is_same(host); });
  if (lent != tensors_.end()) return lent->device;
  results_.push_back(host);
  return tensor_over(taken_back(host.storage()), c10::DispatchKey::PrivateUse1, host);
}

c10::Storage Loans::taken_back(const c10::Storage& host) {
  const auto lent =
      std::ranges::find_if(storages_, [&](const auto& pair) { return pair.host.is_alias_of(host); });
  return lent == storages_.end() ? copied_to_device(host) : lent->device;
}

}  // namespace ritzflow::curvature::test
