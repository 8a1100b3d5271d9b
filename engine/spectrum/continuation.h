#pragma once
#include <filesystem>

#include "spectrum/lanczos_checkpoint.h"
#include "spectrum/lanczos_file.h"

namespace ritzflow::spectrum {

/// The state that a finished run ended in, to resume with `max_iters` raised or `tol` lowered: the
/// continuation is bit-identical to a run that had the new settings from the start. `wanted` holds the new
/// run's settings, mode and operator, `plan` says how its vectors are held. Throws InputError that names what
/// stands in the way: no basis was kept, another operator, another setting, or a new one under which the run
/// would have ended earlier.
LanczosCheckpoint::State continued_state(const std::filesystem::path& lanczos, const LanczosRecord& wanted,
                                         const BasisPlan& plan);

}  // namespace ritzflow::spectrum
