#include "artifact/hdf5/types.h"

#include <cstdint>

namespace ritzflow::artifact {
namespace {

// The layout of bfloat16: 8 exponent and 7 mantissa bits.
bool is_bfloat16(hid_t type) {
  std::size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
  return H5Tget_size(type) == 2 &&
         H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) >= 0 &&
         exponent_bits == 8 && mantissa_bits == 7;
}

bool enum_member_is(hid_t type, const char* name, std::int8_t expected) {
  std::int8_t value = -1;
  return H5Tenum_valueof(type, name, &value) >= 0 && value == expected;
}

bool is_bool(hid_t type) {
  return H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 && enum_member_is(type, "FALSE", 0) &&
         enum_member_is(type, "TRUE", 1);
}

bool is_power_of_two_up_to_8(std::size_t size) { return size == 1 || size == 2 || size == 4 || size == 8; }

Dtype integer_dtype(hid_t type, std::size_t size) {
  if (!is_power_of_two_up_to_8(size)) return {TypeClass::other, "other", size};
  const std::string sign = H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int";
  return {TypeClass::integer, sign + std::to_string(8 * size), size};
}

Dtype real_dtype(hid_t type, std::size_t size) {
  if (is_bfloat16(type)) return {TypeClass::real, "bfloat16", size};
  if (size < 2 || !is_power_of_two_up_to_8(size)) return {TypeClass::other, "other", size};
  return {TypeClass::real, "float" + std::to_string(8 * size), size};
}

}  // namespace

Dtype dtype_of(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return integer_dtype(type, size);
    case H5T_FLOAT:
      return real_dtype(type, size);
    case H5T_STRING:
      return {TypeClass::text, "string", size, H5Tis_variable_str(type) > 0};
    case H5T_ENUM:
      if (is_bool(type)) return {TypeClass::boolean, "bool", size};
      [[fallthrough]];
    default:
      return {TypeClass::other, "other", size};
  }
}

Handle digest_type(hid_t type, const Dtype& dtype) {
  Handle copy(H5Tcopy(dtype.name == "bfloat16" ? H5T_IEEE_F32LE : type), H5Tclose);
  if (dtype.type_class == TypeClass::integer || dtype.type_class == TypeClass::real)
    H5Tset_order(copy.get(), H5T_ORDER_LE);
  return copy;
}

Handle bool_type() {
  Handle type(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
  const std::int8_t no = 0, yes = 1;
  H5Tenum_insert(type.get(), "FALSE", &no);
  H5Tenum_insert(type.get(), "TRUE", &yes);
  return type;
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

template <>
hid_t native_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t native_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
hid_t native_type<std::uint8_t>() {
  return H5T_NATIVE_UINT8;
}

bool accepts(TypeClass expected, TypeClass actual) {
  const bool whole = actual == TypeClass::integer || actual == TypeClass::boolean;
  if (expected == TypeClass::integer || expected == TypeClass::boolean) return whole;
  if (expected == TypeClass::number) return whole || actual == TypeClass::real;
  return expected == actual;
}

std::string to_string(TypeClass type_class) {
  switch (type_class) {
    case TypeClass::integer:
      return "integers";
    case TypeClass::real:
      return "floating-point numbers";
    case TypeClass::number:
      return "numbers";
    case TypeClass::boolean:
      return "a boolean";
    case TypeClass::text:
      return "text";
    case TypeClass::other:
      break;
  }
  return "a type outside the formats";
}

}  // namespace ritzflow::artifact
