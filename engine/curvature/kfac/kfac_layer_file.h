#pragma once
#include <string>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "curvature/kfac/kfac_factors.h"

namespace ritzflow::curvature {

/// Writes the group `layers/<name>` of a kfac.h5.
void write_layer(artifact::ArtifactWriter& file, const KroneckerLayer& layer);

/// Reads it: each factor as its eigenpairs, or as the dense matrix `a` or `g`, which is decomposed. Throws
/// InputError that names the file and the dataset where numbers are not finite, shapes do not agree,
/// eigenvalues are negative or eigenvectors not orthonormal.
KroneckerLayer read_layer(const artifact::ArtifactReader& file, const std::string& name);

}  // namespace ritzflow::curvature
