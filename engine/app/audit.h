#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "app/stage.h"
#include "artifact/compare/compare.h"

namespace ritzflow::app {

struct AuditOptions {
  double rtol = 1e-9;   ///< of a quantity, relative to its largest absolute value
  bool subset = false;  ///< what the first tree alone holds is not missing
};

/// Two trees of artifacts, compared one by one, in the order of their names.
struct Audit {
  std::vector<artifact::Comparison> artifacts;

  int64_t count(artifact::Agreement agreement) const {
    return std::count_if(artifacts.begin(), artifacts.end(),
                         [&](const artifact::Comparison& c) { return c.agreement == agreement; });
  }
};

/// Compares all *.h5 and *.json below `a` and `b` (or these two files) but records of circumstance
/// (provenance.json, ro-crate-metadata.json) and hidden folders. What is damaged or cannot be read is so by
/// its verdict. Throws InputError where there is nothing to compare.
Audit compare_trees(const std::filesystem::path& a, const std::filesystem::path& b,
                    const AuditOptions& options, const StageRun& stage);

/// The audit as "md" (what differs, and counts), "csv" (a row an artifact) or "json" (all deviations).
std::string audit_text(const Audit& audit, const std::string& format);

}  // namespace ritzflow::app
