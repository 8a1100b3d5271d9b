#include "spectrum/lanczos_settings.h"

#include <spdlog/spdlog.h>

#include <cmath>

#include "app/number_checks.h"
#include "core/error.h"
#include "core/kernels.h"
#include "core/nearest.h"
#include "core/philox.h"

namespace ritzflow {
namespace {

const std::vector<std::string> kModes = {"full",    "selective",     "off",          "auto",
                                         "partial", "parlett_scott", "thick_restart"};

}  // namespace

void declare_lanczos_flags(CLI::App& app, LanczosSettings& s) {
  app.option_defaults()->group("Lanczos");
  app.add_option("--k", s.k, "number of wanted eigenpairs")->capture_default_str();
  app.add_option("--max-iters", s.max_iters, "maximum number of matrix-vector products")
      ->capture_default_str();
  app.add_option(
         "--tol", s.tol,
         "converged: residual <= tol * max(|theta|, eps^(2/3) ||A||)  [1e-8, or ten times the noise of "
         "a product if larger]")
      ->check(number_between(0));
  app.add_option("--which", s.which, "largest | smallest | both | magnitude")->capture_default_str();
  app.add_option("--reorth-mode", s.reorth_mode,
                 "full | partial | parlett_scott | thick_restart | off | selective (sliding window) | auto")
      ->capture_default_str();
  app.add_option("--reorth-window", s.reorth_window, "selective: vectors in the sliding window")
      ->capture_default_str();
  app.add_option("--reorth-period", s.reorth_period, "selective: steps from one pass to the next")
      ->capture_default_str();
  app.add_option("--krylov-dim", s.krylov_dim,
                 "thick_restart: maximum number of vectors; 0: max(3 k, k + 30)")
      ->capture_default_str();
  app.add_option("--seed", s.seed, "seed of the random start vector")
      ->check(integer_from(0))
      ->capture_default_str();
  app.add_option("--dtype-basis", s.dtype_basis,
                 "float64 | float32: how Lanczos vectors are stored; float32 takes half the memory, and what "
                 "it rounds away counts as noise of 6e-8 ||A||")
      ->capture_default_str();
}

void check_lanczos_settings(const LanczosSettings& s, int64_t n) {
  if (s.k < 1) throw InputError(fmt::format("--k {} must be at least 1", s.k));
  if (s.k > n) throw InputError(fmt::format("--k {} is above the operator's dimension {}", s.k, n));
  if (s.max_iters < 1) throw InputError(fmt::format("--max-iters {} must be at least 1", s.max_iters));
  if (s.reorth_window < 1)
    throw InputError(fmt::format("--reorth-window {} must be at least 1", s.reorth_window));
  if (s.reorth_period < 1)
    throw InputError(fmt::format("--reorth-period {} must be at least 1", s.reorth_period));
  if (s.krylov_dim != 0 && s.krylov_dim < std::min(n, s.k + 2)) {
    throw InputError(fmt::format("--krylov-dim {} is too small for --k {}: at least {}, better {}",
                                 s.krylov_dim, s.k, std::min(n, s.k + 2), std::min(n, 2 * s.k + 10)));
  }
  parse_which(s.which);
  parse_basis_type(s.dtype_basis);
  if (s.max_iters < s.k) {
    spdlog::warn("--max-iters {} is below --k {}: each product yields at most one eigenvalue", s.max_iters,
                 s.k);
  }
}

BasisType parse_basis_type(const std::string& text) {
  if (text == "float64") return BasisType::float64;
  if (text == "float32") return BasisType::float32;
  throw InputError("--dtype-basis '" + text + "' is not one of float64, float32" +
                   did_you_mean(text, {"float64", "float32"}));
}

double LanczosSettings::noise_floor(double noise) const {
  const BasisType type = parse_basis_type(dtype_basis);
  return type == BasisType::float32 ? std::max(noise, unit_roundoff(type)) : noise;
}

double LanczosSettings::reachable_tol(double noise) const { return std::max(1e-8, 10 * noise_floor(noise)); }

BasisSize basis_size(const Reorthogonalization& mode, int64_t n, int64_t max_iters, bool keep_all) {
  const int64_t needed = rows_needed(mode), most = std::min(max_iters, n);
  if (std::holds_alternative<ThickRestart>(mode)) return {.expected = std::min(needed, n)};
  if (keep_all || needed == 0) return {.expected = most};
  return {.capacity = needed};
}

int64_t certificate_budget(int64_t budget, int64_t products) {
  return budget > 0 ? budget : std::max<int64_t>(30, products);
}

int64_t certificate_rows(const Reorthogonalization& mode, int64_t budget) {
  const auto* restarted = std::get_if<ThickRestart>(&mode);
  return restarted ? std::max<int64_t>(20, restarted->krylov_dim) : budget;
}

Reorthogonalization parse_mode(const LanczosSettings& s, int64_t n, double noise) {
  noise = s.noise_floor(noise);
  if (s.reorth_mode == "off") return Off{};
  if (s.reorth_mode == "selective") return Window{s.reorth_window, s.reorth_period};
  if (s.reorth_mode == "full") return Full{};
  if (s.reorth_mode == "partial") return Partial{noise};
  if (s.reorth_mode == "parlett_scott") return ParlettScott{noise};
  if (s.reorth_mode == "thick_restart") {
    const int64_t dim = s.krylov_dim > 0 ? s.krylov_dim : std::max(3 * s.k, s.k + 30);
    return ThickRestart{.krylov_dim = std::min(dim, n), .k = s.k, .which = parse_which(s.which)};
  }
  throw InputError(fmt::format("--reorth-mode '{}' is not one of {}{}", s.reorth_mode,
                               fmt::join(kModes, ", "), did_you_mean(s.reorth_mode, kModes)));
}

std::vector<double> random_start(int64_t n, int64_t seed) {
  std::vector<double> v(static_cast<size_t>(n));
  Philox(static_cast<uint64_t>(seed), "lanczos", "start vector").fill_normal(v);
  scale(1 / norm(v), v);
  return v;
}

}  // namespace ritzflow
