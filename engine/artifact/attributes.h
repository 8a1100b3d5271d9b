#pragma once
#include <string>

#include "artifact/hdf5/handle.h"
#include "artifact/hdf5/item.h"
#include "artifact/writer.h"

namespace ritzflow::artifact {

/// Creates an attribute of an open object; false with HDF5's reason pending (hdf5_reason()) if that fails.
bool write_attribute(hid_t object, const std::string& name, const Attribute& value);

/// An attribute's value in the widest alternative: scalars and one-element arrays of integers as int64, of
/// floats as double, of bools as bool, of text as string; longer arrays as vectors (of bools as integers).
Attribute read_attribute(const Item& item);

}  // namespace ritzflow::artifact
