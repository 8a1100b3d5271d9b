#pragma once
#include <string>
#include <vector>

#include "artifact/hdf5/item.h"

namespace ritzflow::artifact {

enum class FieldKind { dataset, attribute };

/// One dataset or attribute of a format.
struct Field {
  /// "alpha", "locked/vectors"; an attribute of the root is "k", of another object
  /// "layers/<layer>@parameters". A segment in angle brackets matches any name, "<step>" for eight digits.
  std::string path;
  FieldKind kind = FieldKind::dataset;
  TypeClass type_class = TypeClass::real;
  /// Symbols such as "m" that must agree over the file (below a pattern: within one match of its first
  /// bracket), numbers such as "2", and at the end "..." for any further dimensions. Empty: a scalar.
  std::vector<std::string> shape;
  bool required = true;
  std::string doc;
};

/// What a file of one format holds at least; more datasets and attributes are welcome everywhere.
struct Schema {
  std::string format;   ///< "ritzflow-lanczos"
  std::string version;  ///< "1.0"; readers refuse another major
  std::string doc;
  std::vector<Field> fields;
};

/// The schema of a format. Throws std::logic_error for a name that is none.
const Schema& schema(const std::string& format);

/// All schemas, in the order of the pipeline.
const std::vector<Schema>& schemas();

/// Everything in which the file departs from the schema, one line each, for example
/// "dataset 'alpha' has shape [60], expected [m] with m = 59 from 'H'"; empty where it conforms.
std::vector<std::string> departures(const Schema& schema, const FileView& file);

}  // namespace ritzflow::artifact
