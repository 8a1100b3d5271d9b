#pragma once
#include <cstddef>
#include <string>

#include "artifact/hdf5/handle.h"

namespace ritzflow::artifact {

/// Classes of element types that the formats know.
enum class TypeClass { integer, real, number, boolean, text, other };

/// The element type of a dataset or an attribute, named as numpy names it after reading with h5py.
struct Dtype {
  TypeClass type_class = TypeClass::other;
  std::string name = "other";    ///< "float64", "int64", "uint8", "bool", "string", "bfloat16", ...
  std::size_t size = 0;          ///< bytes an element in the file
  bool variable_length = false;  ///< strings only
};

Dtype dtype_of(hid_t type);

/// The type in which an element is read for content_sha256: little-endian, as h5py shows it (bfloat16 as
/// float32).
Handle digest_type(hid_t type, const Dtype& dtype);

/// h5py's bool: an enum over int8 with FALSE = 0 and TRUE = 1.
Handle bool_type();

/// Variable-length UTF-8.
Handle text_type();

/// HDF5's type of T in memory.
template <class T>
hid_t native_type();

/// True where a value of class `actual` is acceptable for `expected`: a bool is an integer, both are numbers.
bool accepts(TypeClass expected, TypeClass actual);

std::string to_string(TypeClass type_class);

}  // namespace ritzflow::artifact
