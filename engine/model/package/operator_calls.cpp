#include "model/package/operator_calls.h"

#include <ATen/ScalarOps.h>
#include <ATen/core/List.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace ritzflow::model {
namespace {

using nlohmann::json;

bool is_register(const json& value) { return value.is_object() && value.contains("r"); }

/// A floating-point number comes as {"float": "0x1.8p+1"}: hexadecimal, so that no bit is lost.
double number(const json& value) {
  if (!value.is_object()) return value.get<double>();
  return std::strtod(value.at("float").get_ref<const std::string&>().c_str(), nullptr);
}

c10::IValue scalar(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<int64_t>();
  return number(value);
}

template <class T, class Read>
c10::IValue list(const json& values, const Read& read) {
  c10::List<T> items;
  // A single number means a list of it, as in operators' schemas.
  if (!values.is_array()) {
    items.push_back(read(values));
  } else {
    for (const json& value : values) items.push_back(read(value));
  }
  return items;
}

/// What is not a tensor, by the type that the operator's schema gives.
c10::IValue constant(const json& value, const c10::Type& type) {
  if (value.is_null()) return {};
  switch (type.kind()) {
    case c10::TypeKind::OptionalType:
      return constant(value, *type.castRaw<c10::OptionalType>()->getElementType());
    case c10::TypeKind::BoolType:
      return value.get<bool>();
    case c10::TypeKind::IntType:
      return value.get<int64_t>();
    case c10::TypeKind::FloatType:
      return number(value);
    case c10::TypeKind::NumberType:
      return scalar(value);
    case c10::TypeKind::TensorType:  // a number where the operator takes a tensor, as in x * 2
      return at::native::wrapped_scalar_tensor(scalar(value).toScalar());
    case c10::TypeKind::StringType:
      return value.get<std::string>();
    case c10::TypeKind::DeviceObjType:
      return c10::Device(value.get<std::string>());
    case c10::TypeKind::ListType: {
      const auto item = type.castRaw<c10::ListType>()->getElementType();
      if (item->kind() == c10::TypeKind::IntType)
        return list<int64_t>(value, [](const json& v) { return v.get<int64_t>(); });
      if (item->kind() == c10::TypeKind::FloatType) return list<double>(value, number);
      if (item->kind() == c10::TypeKind::BoolType)
        return list<bool>(value, [](const json& v) { return v.get<bool>(); });
      if (item->kind() == c10::TypeKind::NumberType)
        return list<at::Scalar>(value, [](const json& v) { return scalar(v).toScalar(); });
      break;
    }
    default:
      break;
  }
  throw InputError("a stored operator has an argument of type " + type.str() + ", which cannot be read");
}

const c10::Type& without_optional(const c10::Type& type) {
  return type.kind() == c10::TypeKind::OptionalType ? *type.castRaw<c10::OptionalType>()->getElementType()
                                                    : type;
}

}  // namespace

int64_t OperatorCalls::checked(int64_t reg) const {
  if (reg >= 0 && static_cast<size_t>(reg) < registers_) return reg;
  throw InputError("a stored operator has register " + std::to_string(reg) + " of " +
                   std::to_string(registers_));
}

std::vector<int64_t> OperatorCalls::checked(std::vector<int64_t> listed) const {
  for (const int64_t reg : listed) checked(reg);
  return listed;
}

OperatorCalls::Argument OperatorCalls::parse(const json& value, const c10::Type& declared) const {
  const c10::Type& type = without_optional(declared);
  Argument argument;
  if (is_register(value)) {
    argument.reg = checked(value.at("r").get<int64_t>());
    return argument;
  }
  if (type.kind() == c10::TypeKind::ListType && value.is_array()) {
    const c10::Type& item = *type.castRaw<c10::ListType>()->getElementType();
    if (without_optional(item).kind() == c10::TypeKind::TensorType) {
      argument.is_list = true;
      argument.optional_items = item.kind() == c10::TypeKind::OptionalType;
      for (const json& v : value) {
        argument.registers.push_back(v.is_null() ? -1 : checked(v.at("r").get<int64_t>()));
      }
      return argument;
    }
  }
  argument.value = constant(value, type);
  return argument;
}

OperatorCalls::OperatorCalls(const json& listed)
    : registers_(listed.at("registers").get<size_t>()),
      inputs_(listed.at("inputs").get<size_t>()),
      outputs_(checked(listed.at("outputs").get<std::vector<int64_t>>())) {
  if (inputs_ > registers_) throw InputError("a stored function has more inputs than registers");
  for (const json& entry : listed.at("calls")) {
    const auto& name = entry.at("op").get_ref<const std::string&>();
    const auto& overload = entry.at("overload").get_ref<const std::string&>();
    const auto op = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!op) throw InputError("this LibTorch has no operator " + name + "." + overload);
    Call call{*op,
              {},
              checked(entry.at("results").get<std::vector<int64_t>>()),
              checked(entry.at("free").get<std::vector<int64_t>>())};
    const auto& declared = op->schema().arguments();
    for (size_t i = 0; i < declared.size(); ++i) {
      call.arguments.push_back(parse(entry.at("arguments").at(i), *declared[i].type()));
    }
    calls_.push_back(std::move(call));
  }
}

c10::IValue OperatorCalls::bound(const Argument& argument, const std::vector<at::Tensor>& registers,
                                 at::Device device) {
  if (argument.value.isDevice()) return device;
  const auto value = [&](int64_t reg) { return registers[static_cast<size_t>(reg)]; };
  if (argument.reg >= 0) return value(argument.reg);
  if (!argument.is_list) return argument.value;
  if (!argument.optional_items) {
    c10::List<at::Tensor> items;
    for (const int64_t reg : argument.registers) items.push_back(value(reg));
    return items;
  }
  c10::List<std::optional<at::Tensor>> items;
  for (const int64_t reg : argument.registers) {
    items.push_back(reg < 0 ? std::nullopt : std::optional<at::Tensor>(value(reg)));
  }
  return items;
}

void OperatorCalls::store(const c10::IValue& result, const std::vector<int64_t>& places,
                          std::vector<at::Tensor>& registers, size_t& next) {
  if (result.isTensorList()) {
    for (const at::Tensor& item : result.toTensorVector()) {
      registers[static_cast<size_t>(places.at(next++))] = item;
    }
  } else {
    registers[static_cast<size_t>(places.at(next++))] = result.isTensor() ? result.toTensor() : at::Tensor();
  }
}

std::vector<at::Tensor> OperatorCalls::run(std::vector<at::Tensor> inputs, at::Device device) const {
  if (inputs.size() != inputs_) throw InputError("a stored function takes another number of inputs");
  const at::AutoGradMode no_grad(false);
  std::vector<at::Tensor> registers = std::move(inputs);
  registers.resize(registers_);
  for (const Call& call : calls_) {
    c10::Stack stack;
    for (const Argument& argument : call.arguments) stack.push_back(bound(argument, registers, device));
    call.op.callBoxed(stack);
    size_t next = 0;
    for (const c10::IValue& result : stack) store(result, call.results, registers, next);
    for (const int64_t reg : call.free) registers[static_cast<size_t>(reg)].reset();
  }
  std::vector<at::Tensor> outputs;
  for (const int64_t reg : outputs_) outputs.push_back(registers[static_cast<size_t>(reg)]);
  return outputs;
}

}  // namespace ritzflow::model
