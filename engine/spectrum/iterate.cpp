#include "spectrum/iterate.h"

#include <spdlog/fmt/fmt.h>

namespace ritzflow::spectrum {

krylov::LanczosOutcome iterate(krylov::LanczosProcess& process, const krylov::Reorthogonalization& mode,
                               const krylov::LanczosOptions& wanted, const app::StageRun& run,
                               const std::function<void()>& behind_each_product) {
  app::Progress progress = run.progress("products", wanted.max_iters);
  return krylov::run_lanczos(process, mode, wanted, [&](const krylov::LanczosOutcome& now) {
    progress.update(process.factorization().products,
                    fmt::format("converged {}/{}", now.converged, wanted.k));
    behind_each_product();
    return !app::stop_requested();
  });
}

}  // namespace ritzflow::spectrum
