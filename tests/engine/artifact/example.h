#pragma once
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "artifact/schema/schema.h"
#include "artifact/writer.h"

namespace ritzflow::artifact {

/// "layers/<layer>/a" -> "layers/x/a", "steps/<step>/w" -> "steps/00000001/w".
inline std::string example_path(std::string path) {
  for (auto open = path.find('<'); open != std::string::npos; open = path.find('<')) {
    const auto close = path.find('>', open);
    path.replace(open, close + 1 - open, path.substr(open, close + 1 - open) == "<step>" ? "00000001" : "x");
  }
  return path;
}

/// Every dimension is 3, but for those that the schema gives as numbers.
inline std::vector<std::int64_t> example_shape(const Field& field) {
  std::vector<std::int64_t> shape;
  for (const auto& size : field.shape)
    if (size != "...") shape.push_back(std::isdigit(size.front()) ? std::stoll(size) : 3);
  return shape;
}

inline void write_example_dataset(ArtifactWriter& file, const Field& field) {
  const auto shape = example_shape(field);
  std::size_t count = 1;
  for (const auto size : shape) count *= static_cast<std::size_t>(size);
  const std::string path = example_path(field.path);
  if (field.type_class == TypeClass::text)
    file.strings(path, std::vector<std::string>(count, "converged"));
  else if (field.type_class == TypeClass::integer)
    file.dataset(path, std::vector<std::int64_t>(count, 1), shape);
  else
    file.dataset(path, std::vector<double>(count, 0.5), shape);
}

inline Attribute example_value(const Field& field) {
  const bool list = !field.shape.empty();
  const auto count = static_cast<std::size_t>(list ? example_shape(field).front() : 1);
  switch (field.type_class) {
    case TypeClass::text:
      return list ? Attribute(std::vector<std::string>(count, "word")) : Attribute(std::string("{}"));
    case TypeClass::integer:
      return list ? Attribute(std::vector<std::int64_t>(count, 1)) : Attribute(std::int64_t{1});
    case TypeClass::boolean:
      return true;
    default:
      return 0.5;
  }
}

/// A file with every dataset and attribute that the schema names.
/// "inputs/<input>" where the schema has a dataset "inputs", too: a file holds one or the other.
inline bool is_alternative(const Schema& schema, const Field& field) {
  const std::string parent = field.path.substr(0, std::min(field.path.rfind('/'), field.path.size()));
  return parent != field.path && std::ranges::any_of(schema.fields, [&](const Field& other) {
           return other.kind == FieldKind::dataset && other.path == parent;
         });
}

inline std::string write_example(const std::filesystem::path& path, const Schema& schema) {
  ArtifactWriter file(path, schema.format);
  for (const auto& field : schema.fields)
    if (field.kind == FieldKind::dataset && !is_alternative(schema, field))
      write_example_dataset(file, field);
  for (const auto& field : schema.fields) {
    const bool common = field.path.starts_with("format") || field.path == "content_sha256";
    if (field.kind == FieldKind::dataset || common) continue;
    const auto at = field.path.find('@');
    if (at == std::string::npos)
      file.attribute(field.path, example_value(field));
    else
      file.attribute(example_path(field.path.substr(0, at)), field.path.substr(at + 1), example_value(field));
  }
  return file.commit();
}

}  // namespace ritzflow::artifact
