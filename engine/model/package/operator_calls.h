#pragma once
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace ritzflow::model {

/// A function as a list of operator calls that LibTorch's dispatcher runs one by one: a traced graph without
/// Python and without TorchScript (format: stages/scripts/ritzflow/export/trace/calls.py). It holds no
/// values, so that threads may run it at the same time. It runs on the device of its inputs, whichever it was
/// traced on.
class OperatorCalls {
 public:
  /// Throws InputError where an operator is unknown to this LibTorch or the list is malformed.
  explicit OperatorCalls(const nlohmann::json& listed);

  /// Frees each input after the last call that reads it. `device` is that of the inputs: what is made
  /// from nothing is made there.
  std::vector<at::Tensor> run(std::vector<at::Tensor> inputs, at::Device device) const;

 private:
  struct Argument {
    int64_t reg = -1;                ///< register of a tensor; -1: none
    std::vector<int64_t> registers;  ///< of a list of tensors; -1 in it: none
    c10::IValue value;               ///< what is not a tensor
    bool is_list = false, optional_items = false;
  };
  struct Call {
    c10::OperatorHandle op;
    std::vector<Argument> arguments;
    std::vector<int64_t> results, free;
  };

  /// The same register or registers; throws InputError where there is none of such a number.
  int64_t checked(int64_t reg) const;
  std::vector<int64_t> checked(std::vector<int64_t> listed) const;

  Argument parse(const nlohmann::json& value, const c10::Type& type) const;
  static c10::IValue bound(const Argument& argument, const std::vector<at::Tensor>& registers,
                           at::Device device);
  static void store(const c10::IValue& result, const std::vector<int64_t>& places,
                    std::vector<at::Tensor>& registers, size_t& next);

  size_t registers_, inputs_;
  std::vector<Call> calls_;
  std::vector<int64_t> outputs_;
};

}  // namespace ritzflow::model
