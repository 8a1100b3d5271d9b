#pragma once
#include <ATen/core/Tensor.h>

#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "model/package/package.h"

namespace ritzflow::model {

/// Named tensors that every product reads. A copy on another device or in another type is made once and kept.
/// Threads may ask at the same time.
class PlacedTensors {
 public:
  explicit PlacedTensors(std::map<std::string, at::Tensor> values) : values_(std::move(values)) {}

  /// Nothing where there is none of this name.
  const at::Tensor* find(const std::string& name) const;

  /// Throws std::out_of_range where there is none of this name.
  at::Tensor at(const std::string& name, at::Device device, at::ScalarType type) const;

 private:
  std::map<std::string, at::Tensor> values_;
  mutable std::mutex mutex_;
  mutable std::map<std::tuple<std::string, std::string, at::ScalarType>, at::Tensor> copies_;
};

/// Puts the tensors named `buffer:<name>` into their slots, on `device` and in the type of each.
void set_buffers(const Package& package, const PlacedTensors& buffers, at::Device device, SlotValues& values);

}  // namespace ritzflow::model
