// Every operator of LibTorch that has no kernel for the stand-in device, which is nearly every one, runs the
// CPU's on host tensors over the same memory.
#include "stand_in_device.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/TensorFactories.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>

#include "stand_in_loans.h"
#include "stand_in_memory.h"

namespace ritzflow::curvature::test {
namespace {

constexpr auto device_type = c10::DeviceType::PrivateUse1;

std::atomic<int64_t> copies_to_host, copies_to_device;

/// The one device is always the current one, and its one stream does everything in order.
struct Guard final : c10::impl::NoOpDeviceGuardImpl<device_type> {
  c10::Device exchangeDevice(c10::Device) const override { return stand_in_device(); }
  c10::Device getDevice() const override { return stand_in_device(); }
  c10::Stream getStream(c10::Device) const noexcept override { return stream(); }
  c10::Stream getNewStream(c10::Device, int) const override { return stream(); }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return stream(); }
  void synchronizeStream(const c10::Stream&) const override { ++copies_to_host; }
  void synchronizeDevice(c10::DeviceIndex) const override { ++copies_to_host; }

 private:
  static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, stand_in_device()); }
};

/// What autograd and from_blob() ask of a device.
struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  at::Device getDeviceFromPtr(void*) const override { return stand_in_device(); }
  at::Allocator* getPinnedMemoryAllocator() const override { return c10::GetCPUAllocator(); }
};

bool on_device(const at::Tensor& t) { return t.device().type() == device_type; }

/// Calls f(tensor) for each defined tensor of an argument or a result and puts its result in the place.
template <class F>
c10::IValue with_tensors(const c10::IValue& value, const F& f) {
  if (value.isTensor() && value.toTensor().defined()) return f(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& t : value.toTensorVector()) list.push_back(t.defined() ? f(t) : t);
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor>& t : value.toOptionalTensorVector()) {
      list.push_back(t && t->defined() ? std::optional(f(*t)) : t);
    }
    return list;
  }
  return value;
}

bool has_mask(const c10::IValue& indices) {
  const auto list = indices.toOptionalTensorVector();
  return std::ranges::any_of(list, [](const std::optional<at::Tensor>& t) {
    return t && t->defined() && (t->scalar_type() == at::kBool || t->scalar_type() == at::kByte);
  });
}

/// Whether a CUDA kernel of this operator makes the host wait for values.
bool waits_for_values(const c10::OperatorHandle& op, c10::ArrayRef<c10::IValue> arguments) {
  const std::string& name = op.schema().name();
  if (name == "aten::repeat_interleave") return arguments.at(1).isNone();  // no output_size
  if (name == "aten::masked_fill_")
    return arguments.at(2).isTensor() && on_device(arguments.at(2).toTensor());
  if (name == "aten::index") return false;  // nonzero() has made indices of masks and was counted
  if (name == "aten::_index_put_impl_") return has_mask(arguments.at(1));
  return op.hasTag(at::Tag::data_dependent_output) || op.hasTag(at::Tag::dynamic_output_shape);
}

/// The tensor as the CPU's kernel may have it. Throws where a GPU would not take it.
at::Tensor admitted(const at::Tensor& t, const c10::Argument& argument, const c10::OperatorHandle& op,
                    Loans& loans) {
  if (on_device(t)) return loans.lend(t);
  const bool written = argument.alias_info() && argument.alias_info()->isWrite();
  TORCH_CHECK(t.is_cpu() && t.dim() == 0 && !written, "Expected all tensors to be on the same device, but '",
              argument.name(), "' of ", op.schema().name(), " is on ", t.device(), ", not on ",
              stand_in_device());
  return t;
}

/// The kernel of every operator.
void run_on_device(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const auto& parameters = op.schema().arguments();
  if (waits_for_values(op, torch::jit::last(*stack, parameters.size()))) ++copies_to_host;
  Loans loans;
  for (size_t i = 0; i < parameters.size(); ++i) {
    c10::IValue& argument = torch::jit::peek(*stack, i, parameters.size());
    if (argument.isDevice()) argument = c10::Device(c10::kCPU);
    argument =
        with_tensors(argument, [&](const at::Tensor& t) { return admitted(t, parameters[i], op, loans); });
  }
  {
    const UnreportedMemory unreported;
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  }
  loans.settle();
  const size_t results = op.schema().returns().size();
  for (size_t i = 0; i < results; ++i) {
    c10::IValue& result = torch::jit::peek(*stack, i, results);
    result = with_tensors(result, [&](const at::Tensor& t) { return loans.taken_back(t); });
  }
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  if (from.device() != to.device() && from.numel() > 0) ++(on_device(to) ? copies_to_device : copies_to_host);
  Loans loans;
  const auto host = [&](const at::Tensor& t) { return on_device(t) ? loans.lend(t) : t; };
  host(to).copy_(host(from));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  to.resize_(from.sizes());
  return copy_from(from, to, false);
}

at::Tensor empty(c10::SymIntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &device_allocator(),
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(c10::SymIntArrayRef size, c10::SymIntArrayRef stride,
                         std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                         std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(
      C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride), &device_allocator(),
      c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::dtype_or_default(dtype));
}

/// Zeros without memory, the tangent of what has none.
at::Tensor zeros_without_memory(c10::SymIntArrayRef size, std::optional<at::ScalarType> dtype,
                                std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  at::native::ZeroTensorAllocator allocator(stand_in_device());
  const c10::DispatchKeySet keys({c10::DispatchKey::PrivateUse1, c10::DispatchKey::ZeroTensor});
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &allocator, keys,
                                   c10::dtype_or_default(dtype), std::nullopt);
}

const bool registered = [] {
  static Hooks hooks;
  c10::register_privateuse1_backend("stand_in");
  at::RegisterPrivateUse1HooksInterface(&hooks);
  return true;
}();

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_device>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_copy_from", &copy_from);
  m.impl("_copy_from_and_resize", &copy_from_and_resize);
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("_efficientzerotensor", &zeros_without_memory);
  // LibTorch has other code for these where it does not know the device.
  for (const char* name : {"convolution", "convolution_backward", "native_layer_norm", "native_group_norm"}) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&run_on_device>());
  }
}

}  // namespace

at::Device stand_in_device() { return {device_type, 0}; }

Transfers transfers_of(const std::function<void()>& work) {
  const int64_t to_host = copies_to_host, to_device = copies_to_device;
  work();
  return {copies_to_host - to_host, copies_to_device - to_device};
}

}  // namespace ritzflow::curvature::test
