#pragma once
#include <nlohmann/json.hpp>

#include "artifact/reader.h"
#include "spectrum/reported_pairs.h"

namespace ritzflow::spectrum {

/// The flat record of one cell (docs/metrics.md names and explains every field): top-k quantities from
/// ritz.h5, whole-spectrum quantities from density.h5 where it is given. What is unknown is null, never 0.
/// Throws InputError where a density is of another operator, or an indefinite operator is to be regularised.
nlohmann::ordered_json metrics_record(const artifact::ArtifactReader& ritz,
                                      const artifact::ArtifactReader* density,
                                      const Regularization& regularization = {});

}  // namespace ritzflow::spectrum
