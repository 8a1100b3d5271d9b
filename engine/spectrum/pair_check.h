#pragma once
#include <vector>

#include "artifact/reader.h"
#include "artifact/validate.h"

namespace ritzflow::spectrum {

/// What a ritz.h5 and the lanczos.h5 that it names (`lanczos_sha256`) say together: every value is an
/// eigenvalue of H, or one that the certificate locked; settings and dimensions agree. One line each.
std::vector<artifact::Problem> check_pair(const artifact::ArtifactReader& lanczos,
                                          const artifact::ArtifactReader& ritz);

}  // namespace ritzflow::spectrum
