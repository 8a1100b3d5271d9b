#include "model/package/prepared_batch.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <utility>

namespace ritzflow::model {
namespace {

/// `tensor` with `rows` rows: zeros after its own.
at::Tensor with_zero_rows(const at::Tensor& tensor, int64_t rows) {
  if (tensor.size(0) == rows) return tensor.contiguous();
  auto shape = tensor.sizes().vec();
  shape[0] = rows - tensor.size(0);
  return at::cat({tensor, at::zeros(shape, tensor.options())}, 0);
}

}  // namespace

PreparedBatch::PreparedBatch(const Package& package, SlotValues start, int64_t samples)
    : package_(package), values_(std::move(start)), samples_(samples) {
  const at::AutoGradMode no_grad(false);
  add("primal");
  const at::Tensor& z = values_[package_.slot("z")];
  all_rows_ = z.size(0);
  rows_ = samples * (all_rows_ / package_.micro_batch());
  logits_ = z.narrow(0, 0, rows_);
}

void PreparedBatch::set_rows(SlotValues& values, const std::string& slot, const at::Tensor& rows) const {
  values[package_.slot(slot)] = with_zero_rows(rows, all_rows_);
}

void PreparedBatch::set_direction(SlotValues& values, const ParamTensors& v) const {
  model::set_direction(package_, values, v);
}

at::Tensor PreparedBatch::rows_of(const SlotValues& values, const std::string& slot) const {
  return values[package_.slot(slot)].narrow(0, 0, rows_);
}

ParamTensors PreparedBatch::all_of(const SlotValues& values, const std::string& kind) const {
  ParamTensors found;
  for (const size_t i : package_.slots_of(kind)) found.push_back(values[i]);
  return found;
}

void set_direction(const Package& package, SlotValues& values, const ParamTensors& v) {
  const auto places = package.slots_of("v");
  for (size_t i = 0; i < places.size(); ++i) {
    values[places[i]] = v.at(i).reshape(package.slots()[places[i]].shape);
  }
}

at::Tensor filled_up(const at::Tensor& inputs, int64_t count) {
  if (inputs.size(0) == count) return inputs.contiguous();
  auto shape = inputs.sizes().vec();
  shape[0] = count - inputs.size(0);
  return at::cat({inputs, inputs.narrow(0, inputs.size(0) - 1, 1).expand(shape)}, 0);
}

}  // namespace ritzflow::model
