#include "artifact/attributes.h"

#include <optional>

namespace ritzflow::artifact {
namespace {

// Scalar where `length` is empty.
bool write_values(hid_t object, const std::string& name, hid_t type, std::optional<std::size_t> length,
                  const void* values) {
  const hsize_t dim = length.value_or(0);
  const Handle space(length ? H5Screate_simple(1, &dim, nullptr) : H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (!attribute) return false;
  return (length && *length == 0) || H5Awrite(attribute.get(), type, values) >= 0;
}

struct Write {
  hid_t object;
  const std::string& name;

  bool operator()(bool value) const {
    const std::int8_t byte = value ? 1 : 0;
    return write_values(object, name, bool_type().get(), std::nullopt, &byte);
  }
  bool operator()(std::int64_t value) const {
    return write_values(object, name, H5T_STD_I64LE, std::nullopt, &value);
  }
  bool operator()(double value) const {
    return write_values(object, name, H5T_IEEE_F64LE, std::nullopt, &value);
  }
  bool operator()(const std::string& value) const {
    const char* text = value.c_str();
    return write_values(object, name, text_type().get(), std::nullopt, &text);
  }
  bool operator()(const std::vector<std::string>& values) const {
    std::vector<const char*> texts;
    for (const auto& value : values) texts.push_back(value.c_str());
    return write_values(object, name, text_type().get(), texts.size(), texts.data());
  }
  bool operator()(const std::vector<std::int64_t>& values) const {
    return write_values(object, name, H5T_STD_I64LE, values.size(), values.data());
  }
  bool operator()(const std::vector<double>& values) const {
    return write_values(object, name, H5T_IEEE_F64LE, values.size(), values.data());
  }
};

template <class T>
Attribute scalar_or_vector(std::vector<T> values, bool scalar) {
  if (scalar) return values.front();
  return values;
}

std::vector<std::int64_t> read_bools(const Item& item) {
  std::vector<std::int8_t> bytes(static_cast<std::size_t>(item.count()));
  item.read(bool_type().get(), bytes.data());
  return {bytes.begin(), bytes.end()};
}

template <class T>
std::vector<T> read_numbers(const Item& item) {
  std::vector<T> values(static_cast<std::size_t>(item.count()));
  item.read(native_type<T>(), values.data());
  return values;
}

}  // namespace

bool write_attribute(hid_t object, const std::string& name, const Attribute& value) {
  return std::visit(Write{object, name}, value);
}

Attribute read_attribute(const Item& item) {
  const bool scalar = item.count() == 1;
  switch (item.dtype().type_class) {
    case TypeClass::boolean: {
      const auto values = read_bools(item);
      return scalar ? Attribute(values.front() != 0) : Attribute(values);
    }
    case TypeClass::integer:
      return scalar_or_vector(read_numbers<std::int64_t>(item), scalar);
    case TypeClass::real:
      return scalar_or_vector(read_numbers<double>(item), scalar);
    case TypeClass::text:
      return scalar_or_vector(item.read_text(), scalar);
    default:
      item.fail("has a type outside the formats; expected numbers or text");
  }
}

}  // namespace ritzflow::artifact
