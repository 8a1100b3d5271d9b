#pragma once
#include <map>
#include <string>

namespace ritzflow::artifact {

class ArtifactReader;

/// Notes an artifact that this process reads.
void note_opened(const ArtifactReader& file);

/// content_sha256 by path of the artifacts that this process has read, except segments of checkpoints: its
/// inputs, for /provenance.
std::map<std::string, std::string> opened_artifacts();

}  // namespace ritzflow::artifact
