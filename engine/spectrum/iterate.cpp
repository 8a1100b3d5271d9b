#include "spectrum/iterate.h"

#include <spdlog/fmt/fmt.h>

namespace ritzflow {

LanczosOutcome iterate(LanczosProcess& process, const Reorthogonalization& mode, const LanczosOptions& wanted,
                       const StageRun& run, const std::function<void()>& behind_each_product) {
  Progress progress = run.progress("products", wanted.max_iters);
  return run_lanczos(process, mode, wanted, [&](const LanczosOutcome& now) {
    progress.update(process.factorization().products,
                    fmt::format("converged {}/{}", now.converged, wanted.k));
    behind_each_product();
    return !stop_requested();
  });
}

}  // namespace ritzflow
