#pragma once
#include <string>
#include <utility>
#include <vector>

#include "artifact/schema/schema.h"
#include "settings/values.h"

/// The words in which the schemas are written.
namespace ritzflow::artifact::fields {

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

template <class T>
Field setting_field(const About& about) {
  const std::string path(about.attribute_name());
  if constexpr (Worded<T>) return optional(attr(path, text, described(about, words<T>())));
  if constexpr (std::same_as<T, bool>) return optional(attr(path, boolean, described(about, {})));
  if constexpr (std::same_as<T, double>) return optional(attr(path, real, described(about, {})));
  if constexpr (std::integral<T>) return optional(attr(path, integer, described(about, {})));
  if constexpr (std::same_as<T, std::vector<std::string>>)
    return optional(attr(path, text, described(about, {}), {path}));  // a dimension of its own
  return optional(attr(path, text, described(about, {})));
}

/// A row for each setting that is stored, after `fields`; optional unless the flag is required.
template <class S>
std::vector<Field> with_settings_of(std::vector<Field> fields) {
  each_value(S{}, [&]<class T>(const T&, const About& about) {
    if (about.stored == Stored::never) return;
    fields.push_back(setting_field<T>(about));
    fields.back().required = about.required;
  });
  return fields;
}

/// Those of a run of Lanczos, copied from stage to stage under one name.
std::vector<Field> with_run(std::vector<Field> fields);

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

}  // namespace ritzflow::artifact::fields
