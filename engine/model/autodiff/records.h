#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ritzflow::model {

/// One of several inputs of a sample, which a module takes under this name.
struct InputField {
  std::string name;
  std::vector<int64_t> shape;  ///< of one sample
  at::ScalarType type;         ///< float32 or float64, int64, or bool
};

/// Several inputs [N, ...] as one tensor [N, bytes] (u8): a sample is a record of its fields, one after the
/// other. All that cuts data into micro-batches and moves them to a device then sees one tensor.
at::Tensor packed(const std::vector<at::Tensor>& arrays);

/// The arrays again, in the order of `fields`.
std::vector<at::Tensor> unpacked(const at::Tensor& records, const std::vector<InputField>& fields);

}  // namespace ritzflow::model
