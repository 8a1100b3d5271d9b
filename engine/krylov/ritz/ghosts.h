#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace ritzflow::krylov {

/// What the test of Cullum and Willoughby says of an eigenvalue of T.
enum class TridiagonalVerdict : uint8_t {
  good,     ///< the one to keep: simple, or the copy with the largest |s_1| of a group
  copy,     ///< another copy of the same group
  spurious  ///< simple and shared with T without its first row and column
};

/// Cullum and Willoughby (Lanczos Algorithms for Large Symmetric Eigenvalue Computations, 1985): eigenvalues
/// of T closer than 10 m eps ||T|| are one group; a simple one that is also an eigenvalue of T^ (T without
/// its first row and column) owes nothing to the start vector and is spurious. `values` [m] ascending with
/// first components `first` [m] belong to T = tridiag(alpha, beta).
std::vector<TridiagonalVerdict> cullum_willoughby(std::span<const double> alpha, std::span<const double> beta,
                                                  std::span<const double> values,
                                                  std::span<const double> first);

}  // namespace ritzflow::krylov
