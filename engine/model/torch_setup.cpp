#include "model/torch_setup.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "model/tensor_memory.h"

namespace ritzflow::model {
namespace {

// Those that LibTorch hands to MKL (ATen/cpu/vml.h).
constexpr at::Tensor (*kVectorFunctions[])(const at::Tensor&) = {
    at::acos, at::asin,  at::atan, at::cos, at::erf,  at::erfc, at::erfinv, at::exp,
    at::log,  at::log10, at::log2, at::sin, at::sqrt, at::tan,  at::tanh,   at::trunc};

void resolve_vector_functions() {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor one_element = at::full({1}, 0.5, type);
    for (const auto function : kVectorFunctions) function(one_element);
  }
}

}  // namespace

void set_up_torch(int threads) {
  at::set_num_threads(threads);
  reuse_tensor_memory();
  resolve_vector_functions();
}

}  // namespace ritzflow::model
