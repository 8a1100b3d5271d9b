#pragma once
#include <string>
#include <vector>

#include "spectrum/ritz_file.h"

namespace ritzflow::spectrum {

/// The warnings of the method, each with the number that raised it: fewer converged pairs than wanted, fewer
/// than 2 k iterations, repeated values in the naive list, a tolerance below the operator's noise or what
/// a float32 basis rounds away, asymmetry beyond that noise.
std::vector<std::string> method_warnings(const RitzContext& context, const krylov::RitzEvidence& evidence);

}  // namespace ritzflow::spectrum
