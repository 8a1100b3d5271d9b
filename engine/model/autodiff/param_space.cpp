#include "model/autodiff/param_space.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <stdexcept>

#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow::model {
namespace {

auto find(const std::vector<Parameter>& parameters, const std::string& name) {
  return std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == name; });
}

// Elements of `shape`; `before` come before them in the flat vector.
int64_t checked_size(const std::string& name, const std::vector<int64_t>& shape, int64_t before) {
  int64_t size = 1, all = 0;
  bool over = false;
  for (const int64_t d : shape) over |= __builtin_mul_overflow(size, d, &size);
  if (over || __builtin_add_overflow(before, size, &all))
    throw InputError("parameter '" + name + "' would have more elements than 64 bits can count");
  return size;
}

}  // namespace

size_t ParamSpace::add(std::string name, std::vector<int64_t> shape) {
  if (find(parameters_, name) != parameters_.end()) {
    throw InputError("parameter '" + name + "' appears twice; names must be unique");
  }
  const int64_t size = checked_size(name, shape, size_);
  parameters_.push_back({std::move(name), std::move(shape), size_, size});
  size_ += size;
  return parameters_.size() - 1;
}

size_t ParamSpace::index(const std::string& name) const {
  const auto found = find(parameters_, name);
  if (found == parameters_.end()) {
    std::vector<std::string> names;
    for (const auto& parameter : parameters_) names.push_back(parameter.name);
    throw InputError("no parameter is called '" + name + "'" + did_you_mean(name, names));
  }
  return static_cast<size_t>(found - parameters_.begin());
}

ParamTensors ParamSpace::blobs(const at::Tensor& flat) const {
  if (flat.dim() != 1 || flat.numel() != size_ || !flat.is_contiguous()) {
    throw std::invalid_argument("ParamSpace::blobs: the flat vector must be contiguous with " +
                                std::to_string(size_) + " elements");
  }
  auto* base = static_cast<char*>(flat.data_ptr());
  const auto item = static_cast<int64_t>(flat.element_size());
  ParamTensors tensors;
  tensors.reserve(parameters_.size());
  for (const auto& p : parameters_) {
    // The deleter holds `flat`, so that its memory outlives every tensor over it.
    tensors.push_back(at::from_blob(base + p.offset * item, p.shape, [flat](void*) {}, flat.options()));
  }
  return tensors;
}

}  // namespace ritzflow::model
