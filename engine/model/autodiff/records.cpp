#include "model/autodiff/records.h"

#include <ATen/ops/cat.h>

namespace ritzflow::model {

at::Tensor packed(const std::vector<at::Tensor>& arrays) {
  std::vector<at::Tensor> bytes;
  for (const at::Tensor& array : arrays) {
    bytes.push_back(array.contiguous().reshape({array.size(0), -1}).view(at::kByte));
  }
  return at::cat(bytes, 1);
}

std::vector<at::Tensor> unpacked(const at::Tensor& records, const std::vector<InputField>& fields) {
  std::vector<at::Tensor> arrays;
  int64_t first = 0;
  for (const InputField& field : fields) {
    std::vector<int64_t> shape = {records.size(0)};
    shape.insert(shape.end(), field.shape.begin(), field.shape.end());
    auto bytes = static_cast<int64_t>(c10::elementSize(field.type));
    for (const int64_t extent : field.shape) bytes *= extent;
    // A copy: in the record a field may begin anywhere.
    const at::Tensor own = records.narrow(1, first, bytes).clone(at::MemoryFormat::Contiguous);
    arrays.push_back(own.view(field.type).reshape(shape));
    first += bytes;
  }
  return arrays;
}

}  // namespace ritzflow::model
