#pragma once
#include <functional>

#include "app/stage.h"
#include "krylov/lanczos.h"

namespace ritzflow {

/// run_lanczos() under a progress display; `behind_each_product` is called after every one. Stops after the
/// product in flight once stop_requested(): `stopped` in the outcome.
LanczosOutcome iterate(
    LanczosProcess& process, const Reorthogonalization& mode, const LanczosOptions& wanted,
    const StageRun& run, const std::function<void()>& behind_each_product = [] {});

}  // namespace ritzflow
