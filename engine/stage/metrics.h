#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "artifact/reader.h"

namespace ritzflow {

/// What is added to the reported eigenvalues of a semi-definite operator, never to what Lanczos iterates on:
/// nothing (`off`), `amount` (`fixed`), amount * lambda_max (`relative`), or that last only where the
/// returned values have a condition number above 1e12 (`auto`).
struct Regularization {
  std::string mode = "off";
  double amount = 1e-8;
};

/// The flat record of one cell (docs/metrics.md names and explains every field): top-k quantities from
/// ritz.h5, whole-spectrum quantities from density.h5 where it is given. What is unknown is null, never 0.
/// Throws InputError where a density is of another operator, or an indefinite operator is to be regularised.
nlohmann::ordered_json metrics_record(const ArtifactReader& ritz, const ArtifactReader* density,
                                      const Regularization& regularization = {});

}  // namespace ritzflow
