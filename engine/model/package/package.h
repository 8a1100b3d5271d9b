#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/autodiff/taps.h"

namespace ritzflow::model {

/// A function of a package, at work: tensors in, each freed after its last use, tensors out, on the
/// device where it runs; threads may call it at the same time.
using PackageFunction = std::function<std::vector<at::Tensor>(std::vector<at::Tensor>, at::Device)>;

/// The layout of a tensor that passes between the functions of a package, and its name: `theta:<parameter>`,
/// `buffer:<name>`, `x`, `z`, `v:<parameter>`, ... (stages/scripts/ritzflow/export/trace/split.py).
struct Slot {
  std::string name;
  std::vector<int64_t> shape, strides;
  at::ScalarType dtype;
};

/// A layer that K-FAC knows, all its uses as positions: slots `a:<i>` [N, R, in] (indices [N, R]) and `d:<i>`
/// [N, R, out] are its input and output gradient.
struct PackageTap {
  LayerKind kind;
  std::string name, weight, bias;  ///< of parameters; `bias` may be empty
  bool tied;
  int64_t groups;
  std::vector<Piece> pieces;  ///< of parameter 0, the weight, and 1, the bias
};

/// A tensor for every slot, undefined where there is none yet.
using SlotValues = std::vector<at::Tensor>;

/// The products of one module for one type and size of micro-batch, traced and split in Python
/// (`export_products.py`): functions that read and write slots.
class Package {
 public:
  /// Makes a function ready; called once for each that is used.
  using Loader = std::function<PackageFunction(const std::string& name)>;

  /// `manifest`: docs/formats.md, "Packages". Throws InputError where it lacks something.
  Package(const nlohmann::json& manifest, Loader loader);

  int64_t micro_batch() const { return micro_batch_; }
  /// Number of tokens of a language model; 0: inputs are real.
  int64_t vocabulary() const { return vocabulary_; }
  /// Whether any operation does: products of another type may, where the module asks for it.
  bool computes_in_float32() const { return computes_in_float32_; }
  const std::vector<Slot>& slots() const { return slots_; }
  const std::vector<PackageTap>& taps() const { return taps_; }

  /// Index of a slot. Throws InputError if there is none of this name.
  size_t slot(const std::string& name) const;
  /// Indices of the slots `<kind>:...`, in their order.
  std::vector<size_t> slots_of(const std::string& kind) const;

  /// Runs a function on the values of its inputs and stores its results, on the device of `values`. An input
  /// of another shape or type is an error, one of other strides is copied: compiled code would read it
  /// wrongly and silently. A function without results (where the Hessian keeps nothing of its own) costs
  /// nothing.
  void run(const std::string& name, SlotValues& values) const;

  /// The same as the last use of `values`: only the results are left, and memory is free as soon as the
  /// function has read it.
  void run_last(const std::string& name, SlotValues& values) const;

  /// Drops every value that none of these functions reads.
  void keep_for(const std::vector<std::string>& functions, SlotValues& values) const;

 private:
  struct Function {
    std::vector<size_t> inputs, outputs;
    std::once_flag loaded;
    PackageFunction call;
  };

  /// Indices of slots; throws InputError where there is none of such a number.
  std::vector<size_t> slots_at(const nlohmann::json& listed) const;
  at::Tensor fitted(const at::Tensor& value, const Slot& slot) const;
  /// Throws InputError where it was not exported.
  Function& function(const std::string& name) const;
  std::vector<at::Tensor> inputs_of(const Function& function, const SlotValues& values) const;
  void call(const std::string& name, Function& function, std::vector<at::Tensor> inputs, at::Device device,
            SlotValues& values) const;

  int64_t micro_batch_, vocabulary_;
  bool computes_in_float32_;
  std::vector<Slot> slots_;
  std::map<std::string, size_t> places_;
  std::vector<PackageTap> taps_;
  Loader loader_;
  mutable std::map<std::string, Function> functions_;
};

/// Packages of one module or loss by the type that they compute in.
using Packages = std::map<at::ScalarType, std::shared_ptr<const Package>>;

/// The one that computes in `type`. Throws Refusal where `what` ("model", "loss") was exported for others.
const Package& package_in(const Packages& packages, at::ScalarType type, const std::string& what);

}  // namespace ritzflow::model
