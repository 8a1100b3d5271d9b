#pragma once
#include "checkpoint/segment_folder.h"
#include "spectrum/mode_choice.h"

namespace ritzflow::spectrum {

/// choose_mode() for a run with a checkpoint, or without one (`segments` null). What `auto` takes depends on
/// the memory available at the start, and the bits of the run on what it takes: the first start decides and
/// leaves its decision in the checkpoint, later ones stay with it. Only where the vectors lie is chosen
/// again. A run that is refused decides nothing.
ModeChoice choose_mode_once(const LanczosSettings& settings, ModeContext context,
                            checkpoint::SegmentFolder* segments);

/// The settings that a run is known by before its mode is chosen: the tolerance that products with this
/// relative noise can reach, where none was given; a named mode with its `krylov_dim`, where that is 0;
/// `auto` as it was asked for.
LanczosSettings resolved(LanczosSettings settings, int64_t n, double noise);

}  // namespace ritzflow::spectrum
