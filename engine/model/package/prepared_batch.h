#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/autodiff/param_space.h"
#include "model/package/package.h"

namespace ritzflow::model {

/// A package at a point and a micro-batch after its function `primal`: what is computed once, and how rows
/// and parameters go in and out of its slots. The package is of a fixed size; a smaller micro-batch is filled
/// up with its last sample, whose rows have cotangent zero and whose results nobody sees.
class PreparedBatch {
 public:
  /// `start`: values of the slots of theta, buffers and x, with `samples` of x being real.
  PreparedBatch(const Package& package, SlotValues start, int64_t samples);

  const Package& package() const { return package_; }
  int64_t samples() const { return samples_; }
  /// z of the real rows [rows, C].
  const at::Tensor& logits() const { return logits_; }

  /// Runs a function and keeps its results.
  void add(const std::string& function) { package_.run(function, values_); }
  /// Sets `r`, `w` or `s` for all that follows.
  void set_rows(const std::string& slot, const at::Tensor& rows) { set_rows(values_, slot, rows); }
  /// Drops what none of these functions reads.
  void keep_for(const std::vector<std::string>& functions) { package_.keep_for(functions, values_); }

  /// A copy of all values, for one product: copies of the handles alone.
  SlotValues values() const { return values_; }
  /// The values themselves, for the last product.
  SlotValues take_values() { return std::move(values_); }
  void set_rows(SlotValues& values, const std::string& slot, const at::Tensor& rows) const;
  void set_direction(SlotValues& values, const ParamTensors& v) const;
  at::Tensor rows_of(const SlotValues& values, const std::string& slot) const;
  /// The slots `<kind>:...`, one a parameter or layer.
  ParamTensors all_of(const SlotValues& values, const std::string& kind) const;

 private:
  const Package& package_;
  SlotValues values_;
  int64_t samples_, rows_, all_rows_;
  at::Tensor logits_;
};

/// v in the slots `v:...`.
void set_direction(const Package& package, SlotValues& values, const ParamTensors& v);

/// The samples, and the last one again up to `count`: values that the module can surely take.
at::Tensor filled_up(const at::Tensor& inputs, int64_t count);

}  // namespace ritzflow::model
