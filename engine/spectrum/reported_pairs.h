#pragma once
#include <string>
#include <vector>

#include "artifact/reader.h"
#include "settings/stage_settings.h"

namespace ritzflow::spectrum {

/// Whether a verdict is that of a pair of its own, no ghost and not spurious.
bool is_reported(const std::string& verdict);

/// The returned list of a ritz.h5 without its ghosts and spurious ones, in descending order.
struct ReportedPairs {
  std::vector<double> values, residuals, estimates, basis_norms;
  std::vector<double> lower;                        ///< ends of the intervals
  std::vector<bool> converged, negative, positive;  ///< sign proved by the interval

  /// Values of A + amount I.
  void shift(double amount);
};

ReportedPairs reported_pairs(const artifact::ArtifactReader& ritz);

/// What is added to every value. An indefinite operator has no use for it, a shift would change signs: throws
/// InputError where one is to be regularised.
double regularization_of(const ReportedPairs& pairs, bool is_psd, const Regularization& regularization);

}  // namespace ritzflow::spectrum
