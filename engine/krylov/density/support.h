#pragma once
#include <vector>

#include "krylov/density/density.h"
#include "krylov/density/share_band.h"

namespace ritzflow::krylov {

/// The ends of the spectrum with probability 1 - delta: the tightest of all p probes, each of whose two ends
/// is wrong with probability delta / (2p), and as far outwards as the noise of a product moves eigenvalues.
Interval support(const std::vector<ProbeRun>& probes, const std::vector<Quadrature>& rules,
                 const DensityOptions& options, double slack);

}  // namespace ritzflow::krylov
