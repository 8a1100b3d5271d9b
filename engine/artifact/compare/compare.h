#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace ritzflow::artifact {

/// How two artifacts agree, from best to worst.
enum class Agreement {
  same_bytes,
  same_content,      ///< the same content_sha256: they differ in /provenance at most
  within_tolerance,  ///< every number within `rtol` of the quantity's largest value
  different,
  missing,  ///< in one of the two trees only
  damaged,  ///< one of the two cannot be read as what it should be
};

std::string agreement_name(Agreement agreement);

/// One quantity in which two artifacts differ.
struct Deviation {
  std::string quantity;    ///< "alpha", "layers/fc1@parameters", "k" of the root, a key of a JSON file
  double absolute = 0;     ///< max |a - b|; 0 where no number can be given
  double relative = 0;     ///< absolute / max(max |a|, max |b|); infinite where no number can be given
  std::string where = {};  ///< "[3, 17]: 0.25 and 0.26", or what differs
};

/// What a comparison of two artifacts found.
struct Comparison {
  std::string name;  ///< path below both trees
  Agreement agreement = Agreement::same_bytes;
  std::string content_sha256;         ///< of the first one; its SHA-256 for a file that is not HDF5
  std::vector<Deviation> deviations;  ///< the largest first
  std::vector<std::string> notes;     ///< "made from another operator: operator_sha256"

  double largest() const { return deviations.empty() ? 0.0 : deviations.front().relative; }
};

/// Why an artifact cannot be read: it is damaged, of neither kind, gone, or the system does not let one.
/// Empty where it can.
std::string damage(const std::filesystem::path& path);

/// Compares two HDF5 artifacts of any format, or two JSON files. Digests of inputs (attributes *_sha256) that
/// differ are noted and decide nothing. A file with damage() makes the two `damaged`, with the reason in the
/// notes.
Comparison compare_artifacts(const std::filesystem::path& a, const std::filesystem::path& b, double rtol);

}  // namespace ritzflow::artifact
