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

const std::vector<std::string> kModes = {"full", "selective", "off", "auto"};

// Share of the available memory that a basis may take; the rest is for products.
constexpr double kBasisShare = 0.8;

// Rows of float64 that a run holds at most: the mode's rows, the vector in flight, the start vector.
int64_t bytes_held(const Reorthogonalization& mode, int64_t n, int64_t max_iters) {
  const int64_t needed = rows_needed(mode);
  const int64_t rows = needed == 0 ? std::min(max_iters, n) : needed;
  return (rows + 3) * n * int64_t{sizeof(double)};
}

std::string gib(int64_t bytes) { return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30)); }

}  // namespace

void declare_lanczos_flags(CLI::App& app, LanczosSettings& s) {
  app.add_option("--k", s.k, "wanted eigenpairs")->capture_default_str();
  app.add_option("--max-iters", s.max_iters, "products at most")->capture_default_str();
  app.add_option("--tol", s.tol, "converged: residual <= tol * max(|theta|, eps^(2/3) ||A||)")
      ->capture_default_str();
  app.add_option("--which", s.which, "largest | smallest | both | magnitude")->capture_default_str();
  app.add_option("--reorth-mode", s.reorth_mode, "full | selective | off | auto")->capture_default_str();
  app.add_option("--reorth-window", s.reorth_window, "selective: vectors in the sliding window")
      ->capture_default_str();
  app.add_option("--reorth-period", s.reorth_period, "selective: steps from one pass to the next")
      ->capture_default_str();
  app.add_option("--krylov-dim", s.krylov_dim, "vectors at most in restarted modes; 0: chosen")
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
  if (s.seed < 0) throw InputError(fmt::format("--seed {} must not be negative", s.seed));
  parse_which(s.which);
  if (s.max_iters < s.k) {
    spdlog::warn("--max-iters {} is below --k {}: a run finds one eigenvalue a product at most", s.max_iters,
                 s.k);
  }
}

Reorthogonalization parse_mode(const LanczosSettings& s) {
  if (s.reorth_mode == "off") return Off{};
  if (s.reorth_mode == "selective") return Window{s.reorth_window, s.reorth_period};
  if (s.reorth_mode == "full") return Full{};
  throw InputError("--reorth-mode '" + s.reorth_mode + "' is not one of full, selective, off, auto" +
                   did_you_mean(s.reorth_mode, kModes));
}

ModeChoice choose_mode(const LanczosSettings& s, int64_t n, int64_t memory) {
  const bool automatic = s.reorth_mode == "auto";
  const Reorthogonalization mode = automatic ? Reorthogonalization(Full{}) : parse_mode(s);
  const int64_t needed = bytes_held(mode, n, s.max_iters);
  const auto limit = static_cast<int64_t>(kBasisShare * static_cast<double>(memory));
  if (needed > limit) {
    throw Refusal(
        fmt::format("mode {} holds {} of Lanczos vectors for --max-iters {}, and the memory plan allows {}; "
                    "lower --max-iters to {} or ask for --reorth-mode off, whose vectors are replayed",
                    mode_name(mode), gib(needed), s.max_iters, gib(limit),
                    std::max<int64_t>(0, limit / (n * int64_t{sizeof(double)}) - 3)));
  }
  if (!automatic) return {mode, "requested"};
  const std::string reason =
      "auto: all Lanczos vectors fit into memory, and full is the mode that can be certified";
  spdlog::info("reorth_mode full ({}: {} of {})", reason, gib(needed), gib(limit));
  return {mode, reason};
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
