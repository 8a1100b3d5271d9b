#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "artifact/reader.h"

namespace ritzflow::artifact {

/// One thing that is wrong with a file, as a line without the file's name.
struct Problem {
  std::string text;
};

/// What a full check of a file found.
struct Validation {
  std::string format;  ///< "ritzflow-lanczos"; empty where it could not be read
  std::string format_version;
  std::string content_sha256;  ///< computed from the data
  std::vector<Problem> problems;
  std::vector<std::string> notes;  ///< nothing wrong, but worth knowing: no digest in the file
};

/// Checks a file of any format: bytes against the digest of the user block, schema, contents against
/// content_sha256, finite values, and the identities of its format. Reports everything it finds, also that
/// the system does not let the file be read.
Validation check_file(const std::filesystem::path& path);

/// The problems of check_file() only.
std::vector<Problem> validate(const std::filesystem::path& path);

/// Departures of a well-formed file from what its format means, for example
/// "dataset 'alpha' differs from the diagonal of 'H' at 3". The file must conform to its schema.
std::vector<Problem> check_identities(const ArtifactReader& file);

}  // namespace ritzflow::artifact
