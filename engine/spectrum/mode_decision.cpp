#include "spectrum/mode_decision.h"

#include <spdlog/spdlog.h>

namespace ritzflow::spectrum {
namespace {

nlohmann::json written(const ModeChoice& choice) {
  return {{"reorth_mode", krylov::mode_name(choice.mode)},
          {"krylov_dim", krylov::restart_dim(choice.mode)},
          {"reorth_reason", choice.reason}};
}

std::optional<ModeDecision> read(const nlohmann::json& decision) {
  if (decision.is_null()) return std::nullopt;
  return ModeDecision{.reorth_mode = parse_word<ReorthMode>("reorth_mode", decision.at("reorth_mode")),
                      .krylov_dim = decision.at("krylov_dim"),
                      .reason = decision.at("reorth_reason")};
}

}  // namespace

ModeChoice choose_mode_once(const LanczosSettings& s, ModeContext context,
                            checkpoint::SegmentFolder* segments) {
  if (segments == nullptr || s.reorth_mode != ReorthMode::automatic) return choose_mode(s, context);
  context.decided = read(segments->decision());
  ModeChoice choice = choose_mode(s, context);
  segments->decide(written(choice));
  return choice;
}

LanczosSettings resolved(LanczosSettings s, int64_t n, double noise) {
  if (s.tol == 0) {
    s.tol = reachable_tol(s.dtype_basis, noise);
    if (s.tol > 1e-8)
      spdlog::info("tol {:.2g}: ten times the noise of a product (--tol sets another)", s.tol);
  }
  if (s.reorth_mode == ReorthMode::automatic) return s;
  if (const int64_t dim = krylov::restart_dim(mode_of(s, n, noise)); dim > 0) s.krylov_dim = dim;
  return s;
}

}  // namespace ritzflow::spectrum
