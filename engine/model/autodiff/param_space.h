#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ritzflow::model {

/// One named tensor of the flat parameter vector: elements [offset, offset + size).
struct Parameter {
  std::string name;
  std::vector<int64_t> shape;
  int64_t offset;
  int64_t size;
};

/// The tensors of a point, a direction or a gradient, in the order of the ParamSpace.
using ParamTensors = std::vector<at::Tensor>;

/// Names, shapes and offsets of the parameters: the map between the flat vector theta in R^n and tensors.
class ParamSpace {
 public:
  /// Appends a parameter and returns its index. Throws InputError on a name used twice.
  size_t add(std::string name, std::vector<int64_t> shape);

  /// Dimension n of the flat vector.
  int64_t size() const { return size_; }

  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// Index of the parameter called `name`; throws InputError if there is none.
  size_t index(const std::string& name) const;

  /// Zero-copy tensors over the 1-D contiguous `flat` [n], one storage each: a tangent and its primal then
  /// have the same storage layout, and forward-mode AD copies neither. The tensors keep `flat` alive.
  /// Throws std::invalid_argument on another shape.
  ParamTensors blobs(const at::Tensor& flat) const;

 private:
  std::vector<Parameter> parameters_;
  int64_t size_ = 0;
};

}  // namespace ritzflow::model
