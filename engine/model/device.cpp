#include "model/device.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "core/error.h"

namespace ritzflow::model {
namespace {

// The same vector twice must give the same bits, and float32 its own rounding.
void require_reproducible(at::Context& context) {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // what cuBLAS is deterministic with
  // Where an operation has no deterministic form, the operator's probe of repeatability has the last word.
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
}

[[noreturn]] void no_gpu(const std::string& why) {
  throw Refusal("device cuda: " + why + "; processors take what is built with --device cpu");
}

at::Device open_cuda() {
  // The programs link LibTorch's part for processors; this one registers itself where it is loaded.
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    no_gpu(
        fmt::format("this LibTorch has no part for GPUs ({}); the wheel torch with CUDA has one", dlerror()));
  }
  require_reproducible(at::globalContext());
  if (!at::hasCUDA()) no_gpu("no GPU is to be seen here (nvidia-smi lists them)");
  at::globalContext().lazyInitDevice(at::kCUDA);
  return {at::kCUDA, 0};
}

}  // namespace

at::Device open_device(Device device) { return device == Device::cuda ? open_cuda() : at::kCPU; }

int64_t total_memory(at::Device device) {
  if (device.is_cpu()) return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
  return static_cast<int64_t>(at::getDeviceAllocator(device.type())->getMemoryInfo(device.index()).second);
}

}  // namespace ritzflow::model
