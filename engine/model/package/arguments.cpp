#include "model/package/arguments.h"

#include "core/error.h"

namespace ritzflow::model {

bool is_argument(const std::string& slot) {
  return slot == "x" || slot.starts_with("x:") || slot.starts_with("shared:");
}

void require_built_in(const ModelInputs& inputs) {
  const auto refuse = [](const std::string& what) {
    throw InputError("the data have " + what +
                     ", which a built-in network does not take; a module of your own does "
                     "(docs/own-models.md)");
  };
  if (!inputs.fields.empty()) refuse("several inputs by name");
  if (!inputs.shared.empty()) refuse("inputs that all samples share");
  if (!inputs.shape.tokens && inputs.type != at::kFloat) refuse("inputs that are not real numbers");
  if (!inputs.shape.tokens && inputs.rows > 1) refuse("several terms of the loss a sample");
}

Arguments arguments_of(const at::Tensor& samples, const std::vector<InputField>& fields) {
  if (fields.empty()) return {{"x", samples}};
  const auto arrays = unpacked(samples, fields);
  Arguments found;
  for (size_t i = 0; i < fields.size(); ++i) found["x:" + fields[i].name] = arrays[i];
  return found;
}

void set_arguments(const Package& package, const Arguments& arguments, at::Device device,
                   SlotValues& values) {
  for (const auto& [name, value] : arguments) {
    const size_t place = package.slot(name);
    values[place] = value.to(device, package.slots()[place].dtype);
  }
}

}  // namespace ritzflow::model
