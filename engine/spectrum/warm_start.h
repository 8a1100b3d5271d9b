#pragma once
#include <filesystem>
#include <string>

#include "core/vector.h"

namespace ritzflow::spectrum {

/// A start vector made of an earlier result's Ritz vectors, as lanczos.h5 and ritz.h5 record it.
struct WarmStart {
  std::string sha256;   ///< content digest of that ritz.h5; empty: the random start of a probe
  int64_t vectors = 0;  ///< Ritz vectors in the sum
};

/// What the random vector of the probe weighs beside each Ritz vector.
inline constexpr double warm_start_random = 1e-3;

/// start <- the unit vector along sum_i x_i + warm_start_random start, over the converged and unconverged
/// pairs of the ritz.h5 at `ritz`. Each pair has the same share, for Lanczos is done when the last wanted one
/// is there; the random part keeps a direction outside their span in it. Throws InputError where the vectors
/// have another dimension or the file has none.
WarmStart warm_start(const std::filesystem::path& ritz, VectorSpan start);

}  // namespace ritzflow::spectrum
