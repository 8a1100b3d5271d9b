#include "spectrum/continuation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "settings/values.h"

namespace ritzflow::spectrum {
namespace {

class Check {
 public:
  explicit Check(const artifact::ArtifactReader& file) : name_(file.path().string()) {}

  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError("--continue-from " + name_ + ": " + reason);
  }

  template <class T>
  void same(const char* flag, const T& here, const T& there) const {
    if (here != there) fail(fmt::format("has {} {}, this run {}; they must be the same", flag, there, here));
  }

 private:
  std::string name_;
};

// `auto` decides by the memory available at the start, and for more products perhaps otherwise.
void check_mode(const Check& check, const LanczosRecord& here, const LanczosRecord& there) {
  const bool restarts = krylov::restart_dim(there.mode()) > 0;
  const int64_t now = here.settings.krylov_dim, then = there.settings.krylov_dim;
  const bool same = here.reorth_mode == there.reorth_mode && (!restarts || now == then);
  if (!same && here.settings.reorth_mode == ReorthMode::automatic)
    check.fail(fmt::format("ran in another mode than auto takes now; name it: --reorth-mode {}{}",
                           word(there.reorth_mode), restarts ? fmt::format(" --krylov-dim {}", then) : ""));
  check.same("reorth_mode", word(here.reorth_mode), word(there.reorth_mode));
  if (restarts) check.same("--krylov-dim", now, then);
}

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Every setting that changes results, except those that may: more products, a smaller tolerance, and the
// mode, which is checked as it ran.
void check_same_settings(const Check& check, const LanczosRecord& here, const LanczosRecord& there) {
  const nlohmann::json then = identity_of(there.settings);
  const std::string mode = word(here.reorth_mode);
  each_value(here.settings, [&](const auto& value, const About& about) {
    const std::string name(about.name);
    if (name == "max_iters" || name == "tol" || name == "reorth_mode" || name == "krylov_dim") return;
    if (!about.only_for.empty() && std::ranges::find(about.only_for, mode) == about.only_for.end()) return;
    check.same(flag_of(name).c_str(), text_of(setting_json(value)), text_of(then.at(name)));
  });
}

void check_settings(const Check& check, const LanczosRecord& here, const LanczosRecord& there) {
  check.same("operator_sha256", here.operator_sha256, there.operator_sha256);
  check_mode(check, here, there);
  const auto file = [](const std::string& sha256) { return sha256.empty() ? "none" : sha256; };
  check.same("--start", file(here.start.sha256), file(there.start.sha256));
  check_same_settings(check, here, there);
  if (here.settings.tol > there.settings.tol)
    check.fail(fmt::format("had --tol {:g}; a run with {:g} would have ended earlier; start a new one",
                           there.settings.tol, here.settings.tol));
}

}  // namespace

LanczosCheckpoint::State continued_state(const std::filesystem::path& lanczos, const LanczosRecord& wanted,
                                         const BasisPlan& plan) {
  const artifact::ArtifactReader file(lanczos, "ritzflow-lanczos");
  const Check check(file);
  LanczosRecord record = read_lanczos(file);
  check_settings(check, wanted, record);
  krylov::KrylovFactorization& f = record.factorization;
  if (f.products > wanted.settings.max_iters)
    check.fail(
        fmt::format("has {} products, more than --max-iters {}", f.products, wanted.settings.max_iters));
  if (!file.has("basis") || !file.has("residual_vector"))
    check.fail("kept no Lanczos vectors to resume from; --keep-basis would have");
  f.residual_vector = file.read<double>("residual_vector");
  auto basis = plan.make(static_cast<int64_t>(f.residual_vector.size()));
  append_rows(file, "basis", *basis);
  spdlog::info("resuming after product {} from {}", f.products, lanczos.string());
  return {std::move(f), std::move(basis)};
}

}  // namespace ritzflow::spectrum
