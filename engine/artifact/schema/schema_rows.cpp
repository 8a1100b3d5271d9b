#include "artifact/schema/schema_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ritzflow::artifact {
namespace {

std::string type_in_words(TypeClass type) {
  switch (type) {
    case TypeClass::integer:
      return "integer";
    case TypeClass::real:
      return "float";
    case TypeClass::boolean:
      return "bool";
    case TypeClass::text:
      return "text";
    default:
      return "number";
  }
}

std::string escaped(std::string text) {
  for (auto bar = text.find('|'); bar != std::string::npos; bar = text.find('|', bar + 2))
    text.insert(bar, "\\");
  return text;
}

}  // namespace

std::string row_of(const Field& field) {
  return fmt::format("| `{}` | {} | {} | {} | {} | {} |", field.path,
                     field.kind == FieldKind::dataset ? "dataset" : "attribute",
                     type_in_words(field.type_class),
                     field.shape.empty() ? "scalar" : fmt::format("[{}]", fmt::join(field.shape, ", ")),
                     field.required ? "yes" : "optional", escaped(field.doc));
}

}  // namespace ritzflow::artifact
