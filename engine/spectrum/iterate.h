#pragma once
#include <functional>

#include "app/stage.h"
#include "krylov/lanczos.h"

namespace ritzflow::spectrum {

/// run_lanczos() under a progress display; `behind_each_product` is called after every one. Stops after the
/// product in flight once stop_requested(): `stopped` in the outcome.
krylov::LanczosOutcome iterate(
    krylov::LanczosProcess& process, const krylov::Reorthogonalization& mode,
    const krylov::LanczosOptions& wanted, const app::StageRun& run,
    const std::function<void()>& behind_each_product = [] {});

}  // namespace ritzflow::spectrum
