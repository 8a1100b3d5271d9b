#pragma once
#include "artifact/reader.h"
#include "artifact/writer.h"
#include "curvature/kfac/kfac_collect.h"

namespace ritzflow::curvature {

inline constexpr const char* kKfacSumsFormat = "ritzflow-sums";

/// Fills a segment of a K-FAC collection's checkpoint.
void write_kfac_sums(artifact::ArtifactWriter& file, const KfacSums& sums);

/// Reads it back. Throws InputError.
KfacSums read_kfac_sums(const artifact::ArtifactReader& file);

}  // namespace ritzflow::curvature
