#include "stage/lanczos_settings.h"

#include <spdlog/spdlog.h>

#include <cmath>
#include <fstream>

#include "core/error.h"
#include "core/kernels.h"
#include "core/nearest.h"
#include "core/philox.h"

namespace ritzflow {
namespace {

const std::vector<std::string> kModes = {"full",    "selective",     "off",          "auto",
                                         "partial", "parlett_scott", "thick_restart"};

// Share of the available memory that a basis may take; the rest is for products.
constexpr double kBasisShare = 0.8;

// Vectors beside the basis: the one in flight, the start vector, the copy in the record.
constexpr int64_t kOtherRows = 3;

int64_t row_bytes(int64_t n) { return n * int64_t{sizeof(double)}; }

// Basis rows that a run holds at most.
int64_t rows_held(const Reorthogonalization& mode, int64_t n, int64_t max_iters) {
  const int64_t needed = rows_needed(mode), most = std::min(max_iters, n);
  return needed == 0 ? most : std::min(needed, most);
}

// Basis rows that the memory plan allows.
int64_t rows_allowed(const ModeContext& context) {
  const double share = kBasisShare * static_cast<double>(context.memory);
  return std::max<int64_t>(0, static_cast<int64_t>(share) / row_bytes(context.n) - kOtherRows);
}

std::string gib(int64_t bytes) { return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30)); }

void require_that_it_fits(const Reorthogonalization& mode, const LanczosSettings& s,
                          const ModeContext& context) {
  const int64_t rows = rows_held(mode, context.n, s.max_iters), allowed = rows_allowed(context);
  if (rows <= allowed) return;
  const bool restarted = std::holds_alternative<ThickRestart>(mode);
  throw Refusal(fmt::format(
      "mode {} holds {} of Lanczos vectors for {} {}, and the memory plan allows {}; lower it to {}{}",
      mode_name(mode), gib((rows + kOtherRows) * row_bytes(context.n)),
      restarted ? "--krylov-dim" : "--max-iters", rows,
      gib(static_cast<int64_t>(kBasisShare * static_cast<double>(context.memory))), allowed,
      restarted ? "" : ", or ask for --reorth-mode thick_restart, which holds --krylov-dim vectors"));
}

// Vectors, in units of k, beyond which a restarted run gains little. Outliers need few; the lower end of a
// curvature spectrum lies in its bulk, where 10 k took up to twice the products of a run without restarts.
int64_t rows_worth_having(const LanczosSettings& s) {
  const Which which = parse_which(s.which);
  return (which == Which::largest || which == Which::magnitude ? 10 : 20) * s.k;
}

// What the noise of a product, a floor of every residual, leaves of the tolerance.
std::string noise_words(const LanczosSettings& s, double noise) {
  return noise <= s.tol ? fmt::format("a product's noise of {:.1g} is below tol {:.1g}", noise, s.tol)
                        : fmt::format(
                              "a product's noise of {:.1g} is above tol {:.1g}: no mode can show "
                              "pairs converged to it",
                              noise, s.tol);
}

// Of the modes that can certify what they return the one with the fewest products that fits: `full`, which
// has the fewest of all, then `thick_restart`. partial and parlett_scott hold all vectors, too, and save work
// only where the noise of a product leaves them a level to work at; off and selective cannot certify.
ModeChoice automatic_mode(LanczosSettings s, const ModeContext& context) {
  const int64_t allowed = rows_allowed(context), all = std::min(s.max_iters, context.n);
  if (all <= allowed) {
    return {Full{},
            fmt::format("auto: all {} Lanczos vectors fit into memory, and full needs the fewest products "
                        "of the modes that can be certified; {}",
                        all, noise_words(s, context.noise))};
  }
  s.reorth_mode = "thick_restart";
  auto mode = std::get<ThickRestart>(parse_mode(s, context.n, context.noise));
  const int64_t least = std::min(context.n, s.k + 2), good = std::max(mode.krylov_dim, rows_worth_having(s));
  if (s.krylov_dim == 0) mode.krylov_dim = std::max(least, std::min(allowed, good));
  return {mode, fmt::format("auto: {} Lanczos vectors do not fit into memory, {} do; thick_restart with {}, "
                            "enough for which {}, can be certified, off cannot; {}",
                            all, allowed, mode.krylov_dim, s.which, noise_words(s, context.noise))};
}

}  // namespace

void declare_lanczos_flags(CLI::App& app, LanczosSettings& s) {
  app.add_option("--k", s.k, "wanted eigenpairs")->capture_default_str();
  app.add_option("--max-iters", s.max_iters, "products at most")->capture_default_str();
  app.add_option("--tol", s.tol, "converged: residual <= tol * max(|theta|, eps^(2/3) ||A||)")
      ->capture_default_str();
  app.add_option("--which", s.which, "largest | smallest | both | magnitude")->capture_default_str();
  app.add_option("--reorth-mode", s.reorth_mode,
                 "full | partial | parlett_scott | thick_restart | off | selective (sliding window) | auto")
      ->capture_default_str();
  app.add_option("--reorth-window", s.reorth_window, "selective: vectors in the sliding window")
      ->capture_default_str();
  app.add_option("--reorth-period", s.reorth_period, "selective: steps from one pass to the next")
      ->capture_default_str();
  app.add_option("--krylov-dim", s.krylov_dim, "thick_restart: vectors at most; 0: max(3 k, k + 30)")
      ->capture_default_str();
  app.add_option("--seed", s.seed, "seed of the random start vector")->capture_default_str();
}

void check_lanczos_settings(const LanczosSettings& s, int64_t n) {
  if (s.k < 1) throw InputError(fmt::format("--k {} must be at least 1", s.k));
  if (s.k > n) throw InputError(fmt::format("--k {} is above the operator's dimension {}", s.k, n));
  if (s.max_iters < 1) throw InputError(fmt::format("--max-iters {} must be at least 1", s.max_iters));
  if (!(s.tol > 0 && std::isfinite(s.tol)))
    throw InputError(fmt::format("--tol {} must be positive and finite", s.tol));
  if (s.reorth_window < 1)
    throw InputError(fmt::format("--reorth-window {} must be at least 1", s.reorth_window));
  if (s.reorth_period < 1)
    throw InputError(fmt::format("--reorth-period {} must be at least 1", s.reorth_period));
  if (s.krylov_dim != 0 && s.krylov_dim < std::min(n, s.k + 2)) {
    throw InputError(fmt::format("--krylov-dim {} is too small for --k {}: at least {}, better {}",
                                 s.krylov_dim, s.k, std::min(n, s.k + 2), std::min(n, 2 * s.k + 10)));
  }
  if (s.seed < 0) throw InputError(fmt::format("--seed {} must not be negative", s.seed));
  parse_which(s.which);
  if (s.max_iters < s.k) {
    spdlog::warn("--max-iters {} is below --k {}: a run finds one eigenvalue a product at most", s.max_iters,
                 s.k);
  }
}

Reorthogonalization parse_mode(const LanczosSettings& s, int64_t n, double noise) {
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

ModeChoice choose_mode(const LanczosSettings& s, const ModeContext& context) {
  const bool automatic = s.reorth_mode == "auto";
  ModeChoice choice = automatic ? automatic_mode(s, context)
                                : ModeChoice{parse_mode(s, context.n, context.noise), "requested"};
  require_that_it_fits(choice.mode, s, context);
  if (automatic) spdlog::info("reorth_mode {} ({})", mode_name(choice.mode), choice.reason);
  return choice;
}

int64_t available_memory() {
  std::ifstream info("/proc/meminfo");
  std::string key, unit;
  for (int64_t kib = 0; info >> key >> kib >> unit;) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return INT64_MAX;
}

std::vector<double> random_start(int64_t n, int64_t seed) {
  std::vector<double> v(static_cast<size_t>(n));
  Philox(static_cast<uint64_t>(seed), "lanczos", "start vector").fill_normal(v);
  scale(1 / norm(v), v);
  return v;
}

}  // namespace ritzflow
