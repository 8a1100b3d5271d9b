#pragma once
#include <cstdint>
#include <vector>

namespace ritzflow::spectrum {

/// Returned eigenvalues against a spectrum that is known in closed form.
struct ClosedFormCheck {
  /// Largest distance of a returned value from the spectrum, or of an eigenvalue that is not below the
  /// smallest returned value from the returned ones; relative to the largest |eigenvalue| (absolute if 0).
  double error = 0;
  /// Eigenvalues above the smallest returned value, counted with their multiplicities, that were not
  /// returned. One start vector shows one copy of a multiple eigenvalue. Negative: too many were returned.
  int64_t missed = 0;
};

/// Both in descending order and not empty; `returned` are the largest.
ClosedFormCheck check_closed_form(const std::vector<double>& returned, const std::vector<double>& spectrum);

}  // namespace ritzflow::spectrum
