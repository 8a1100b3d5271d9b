#include "spectrum/reported_pairs.h"

#include <algorithm>

#include "core/error.h"

namespace ritzflow::spectrum {

void ReportedPairs::shift(double amount) {
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] += amount;
    positive[i] = lower[i] + amount > 0;
  }
}

bool is_reported(const std::string& verdict) { return verdict == "converged" || verdict == "unconverged"; }

ReportedPairs reported_pairs(const artifact::ArtifactReader& ritz) {
  const auto verdicts = ritz.read<std::string>("verdicts");
  const auto values = ritz.read<double>("eigenvalues"), residuals = ritz.read<double>("residuals"),
             estimates = ritz.read<double>("residual_estimates"), norms = ritz.read<double>("basis_norms"),
             intervals = ritz.read<double>("intervals");
  ReportedPairs wanted;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_reported(verdicts[i])) continue;
    wanted.values.push_back(values[i]);
    wanted.residuals.push_back(residuals[i]);
    wanted.estimates.push_back(estimates[i]);
    wanted.basis_norms.push_back(norms[i]);
    wanted.converged.push_back(verdicts[i] == "converged");
    wanted.negative.push_back(intervals[2 * i + 1] < 0);
    wanted.positive.push_back(intervals[2 * i] > 0);
    wanted.lower.push_back(intervals[2 * i]);
  }
  return wanted;
}

double regularization_of(const ReportedPairs& w, bool is_psd, const Regularization& r) {
  if (r.mode == RegularizationMode::off || w.values.empty()) return 0;
  if (!is_psd) {
    if (r.mode == RegularizationMode::automatic) return 0;
    throw InputError("--regularization-mode " + word(r.mode) +
                     " is for semi-definite operators; this one is indefinite: off or auto");
  }
  if (r.mode == RegularizationMode::fixed) return r.amount;
  const double largest = w.values.front();
  const bool singular = !(w.values.back() > 0 && largest / w.values.back() <= 1e12);
  return r.mode == RegularizationMode::relative || singular ? r.amount * std::max(largest, 0.0) : 0;
}

}  // namespace ritzflow::spectrum
