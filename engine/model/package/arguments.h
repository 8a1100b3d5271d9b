#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/autodiff/network.h"
#include "model/autodiff/records.h"
#include "model/package/package.h"

namespace ritzflow::model {

/// What data give to a module, where that is more than an array of numbers.
struct ModelInputs {
  DataShape shape;                           ///< without a shape of inputs where they have names
  at::ScalarType type = at::kFloat;          ///< of one array: float32 for any real one, int64 or bool
  std::vector<InputField> fields;            ///< of several by name, which are packed into records
  std::map<std::string, at::Tensor> shared;  ///< by name, for all samples the same
  int64_t rows = 1;                          ///< terms of the loss that a sample has
};

/// Throws InputError with the reason where a built-in network does not take such data: it takes one array,
/// and gives a row of logits a sample, or a token of a language model.
void require_built_in(const ModelInputs& inputs);

/// What a package's module is called with, by the names of its slots: `x`, the only positional argument;
/// `x:<name>`, one of several by name; `shared:<name>`, one that all samples share.
using Arguments = std::map<std::string, at::Tensor>;

bool is_argument(const std::string& slot);

/// The inputs of some samples, of which there are several where there are `fields`.
Arguments arguments_of(const at::Tensor& samples, const std::vector<InputField>& fields);

/// Puts them into their slots, in the type of each.
void set_arguments(const Package& package, const Arguments& arguments, at::Device device, SlotValues& values);

}  // namespace ritzflow::model
