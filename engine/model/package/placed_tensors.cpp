#include "model/package/placed_tensors.h"

namespace ritzflow::model {

const at::Tensor* PlacedTensors::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

at::Tensor PlacedTensors::at(const std::string& name, at::Device device, at::ScalarType type) const {
  const at::Tensor& value = values_.at(name);
  if (value.device() == device && value.scalar_type() == type) return value;
  const std::lock_guard lock(mutex_);
  at::Tensor& copy = copies_[{name, device.str(), type}];
  if (!copy.defined()) copy = value.to(device, type);
  return copy;
}

void set_buffers(const Package& package, const PlacedTensors& buffers, at::Device device,
                 SlotValues& values) {
  for (const size_t i : package.slots_of("buffer")) {
    const Slot& slot = package.slots()[i];
    values[i] = buffers.at(slot.name.substr(7), device, slot.dtype).reshape(slot.shape);
  }
}

}  // namespace ritzflow::model
