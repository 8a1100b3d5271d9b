#pragma once
#include <string>

#include "artifact/item.h"

namespace ritzflow {

/// `content_sha256` of a file: SHA-256 over every dataset and attribute outside /provenance (and without
/// `content_sha256` itself) in ascending order of their keys, each as key, dtype, shape and little-endian
/// bytes. Two honest runs agree in it whatever the hour, the host and the order of writing. docs/formats.md
/// has the exact rule and the same computation in Python. Data pass through in pieces of bounded size.
std::string content_digest(const FileView& file);

/// The same in a child process, so that a damaged file that crashes libhdf5, or lets it run for ever, ends in
/// an InputError here. Everything in the file is read once, /provenance too. Call it from the thread that
/// uses HDF5.
std::string content_digest_in_child(const std::string& path);

}  // namespace ritzflow
