#pragma once
#include <string>
#include <utility>
#include <vector>

#include "artifact/schema/schema.h"

/// The words in which the schemas are written.
namespace ritzflow::fields {

using enum TypeClass;
using Shape = std::vector<std::string>;

inline Field data(std::string path, TypeClass type, Shape shape, std::string doc) {
  return {std::move(path), FieldKind::dataset, type, std::move(shape), true, std::move(doc)};
}

inline Field attr(std::string path, TypeClass type, std::string doc, Shape shape = {}) {
  return {std::move(path), FieldKind::attribute, type, std::move(shape), true, std::move(doc)};
}

inline Field optional(Field field) {
  field.required = false;
  return field;
}

/// What every format has, before `fields`.
std::vector<Field> with_common(std::vector<Field> fields);

/// Then the settings of the method, copied from stage to stage under one name.
std::vector<Field> with_settings(std::vector<Field> fields);

/// A checkpoint's segment says whose it is.
std::vector<Field> with_segment(std::vector<Field> fields);

Schema data_schema();
Schema model_schema();
Schema kfac_schema();
Schema operator_schema();
Schema lanczos_schema();
Schema ritz_schema();
Schema density_schema();
Schema checkpoint_schema();
Schema training_schema();
Schema products_schema();
Schema sums_schema();

}  // namespace ritzflow::fields
