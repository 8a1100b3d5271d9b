#include "spectrum/mode_choice.h"

#include <spdlog/spdlog.h>

#include "core/error.h"
#include "core/nearest.h"

namespace ritzflow::spectrum {
namespace {

// Vectors beside the basis: the two of a product, and at the end the start vector.
constexpr int64_t kOtherRows = 3;

// Lanczos vectors of a run, in bytes.
struct Needs {
  int64_t basis = 0;        // its rows
  int64_t certificate = 0;  // those of the certificate
  int64_t others = 0;       // what is in memory wherever the rows lie
  int64_t all() const { return basis + certificate + others; }
};

Needs needs(const krylov::Reorthogonalization& mode, const LanczosSettings& s, const ModeContext& context) {
  const krylov::BasisSize size = basis_size(mode, context.n, s.max_iters, context.keep_all);
  const int64_t rows = size.capacity > 0 ? size.capacity : size.expected;
  Needs needs{.basis = rows * context.n * krylov::element_bytes(s.dtype_basis),
              .others = kOtherRows * context.n * 8};
  if (!context.certificate || !krylov::keeps_orthogonality(mode)) return needs;
  const int64_t budget = certificate_budget(context.certificate_budget, std::min(s.max_iters, context.n));
  needs.certificate = certificate_rows(mode, budget) * context.n * 8;
  needs.others += 6 * s.k * context.n * 8;  // the k pairs that it deflates and 2 k neighbours, twice
  return needs;
}

std::string gib(int64_t bytes) { return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30)); }

// Whether the run holds all its vectors, or all until a restart: what may lie on disk.
bool holds_many(const krylov::Reorthogonalization& mode, const ModeContext& context) {
  return context.keep_all || krylov::reads_all_rows(mode);
}

// Compressed vectors are written again, and a checkpoint holds those of the restart before as well.
int64_t disk_needed(const krylov::Reorthogonalization& mode, const Needs& needs) {
  return needs.certificate + (krylov::traits_of(mode).restarts ? 3 : 1) * needs.basis;
}

// The most --krylov-dim (of a restarted run) or --max-iters, from `least` to `most`, with which all vectors
// of the run fit into memory; 0 where none does.
int64_t most_that_fit(const krylov::Reorthogonalization& mode, LanczosSettings s, const ModeContext& context,
                      int64_t least, int64_t most) {
  s.reorth_mode = krylov::traits_of(mode).mode;
  int64_t& rows = krylov::traits_of(mode).restarts ? s.krylov_dim : s.max_iters;
  int64_t fit = 0;
  while (least <= most) {  // by halves: what is needed grows with the number
    rows = least + (most - least) / 2;
    if (needs(mode_of(s, context.n, context.noise), s, context).all() <= context.memory) {
      fit = rows;
      least = rows + 1;
    } else {
      most = rows - 1;
    }
  }
  return fit;
}

int64_t least_rows(const LanczosSettings& s, const ModeContext& context) {
  return std::min(context.n, s.k + 2);
}

// What would make the run fit: less of what holds vectors, or no certificate.
std::string advice(const krylov::Reorthogonalization& mode, const LanczosSettings& s,
                   const ModeContext& context, int64_t rows) {
  const int64_t most = most_that_fit(mode, s, context, least_rows(s, context), rows - 1);
  if (most > 0) return fmt::format("lower it to {}", most);
  ModeContext without = context;
  without.certificate = false;
  const bool would_do = context.certificate && needs(mode, s, without).all() <= context.memory;
  return would_do ? "leave the certificate out: --no-certificate" : "give it more: --basis-memory";
}

[[noreturn]] void refuse(const krylov::Reorthogonalization& mode, const LanczosSettings& s,
                         const ModeContext& context, const Needs& needs) {
  const bool restarted = krylov::traits_of(mode).restarts;
  const int64_t rows = restarted ? krylov::restart_dim(mode) : s.max_iters;
  std::string disk = ", or hold them on disk: --basis disk";
  if (context.basis == BasisPlace::automatic)
    disk = fmt::format(", or make room on the disk: {} are needed, {} are free",
                       gib(disk_needed(mode, needs)), gib(context.disk));
  throw Refusal(fmt::format(
      "mode {} holds {} of Lanczos vectors for {} {}{}, and the memory plan allows {}; {}{}{}",
      krylov::mode_name(mode), gib(needs.all()), restarted ? "--krylov-dim" : "--max-iters", rows,
      needs.certificate > 0 ? " and its certificate" : "", gib(context.memory),
      advice(mode, s, context, rows),
      restarted ? "" : ", or ask for --reorth-mode thick_restart, which holds --krylov-dim vectors", disk));
}

// Vectors, in units of k, beyond which a restarted run gains little. Outliers need few; the lower end of a
// curvature spectrum lies in its bulk, where 10 k took up to twice the products of a run without restarts.
int64_t rows_worth_having(const LanczosSettings& s) {
  const Which which = s.which;
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
// has the fewest of all, then `thick_restart`. partial and parlett_scott also hold all vectors, and save work
// only where the noise of a product leaves them a level to work at; off and selective cannot certify.
ModeChoice automatic_mode(LanczosSettings s, const ModeContext& context) {
  const int64_t all = std::min(s.max_iters, context.n);
  const bool on_disk = context.basis == BasisPlace::disk;
  if (on_disk || needs(krylov::Full{}, s, context).all() <= context.memory) {
    return {krylov::Full{},
            fmt::format("auto: all {} Lanczos vectors {}, and full needs the fewest products of the modes "
                        "that can be certified; {}",
                        all, on_disk ? "lie on disk" : "fit into memory", noise_words(s, context.noise))};
  }
  s.reorth_mode = ReorthMode::thick_restart;
  krylov::Reorthogonalization mode = mode_of(s, context.n, context.noise);
  std::string why = "as asked for";
  if (s.krylov_dim == 0) {
    const int64_t least = least_rows(s, context);
    const int64_t good = std::min(context.n, std::max(krylov::restart_dim(mode), rows_worth_having(s)));
    const int64_t fit = most_that_fit(mode, s, context, least, good);
    s.krylov_dim = std::max(least, fit);
    mode = mode_of(s, context.n, context.noise);
    why = fit == good ? "enough for which " + word(s.which)
                      : (fit > 0 ? "as many as fit" : fmt::format("the least for k = {}", s.k));
  }
  return {mode,
          fmt::format("auto: {} Lanczos vectors do not fit into memory; thick_restart with {}, {}, can be "
                      "certified, off cannot; {}",
                      all, krylov::restart_dim(mode), why, noise_words(s, context.noise))};
}

ModeChoice decided_mode(LanczosSettings s, const ModeContext& context) {
  const ModeDecision& decided = *context.decided;
  s.reorth_mode = decided.reorth_mode;
  s.krylov_dim = decided.krylov_dim;
  spdlog::info("reorth_mode {} (as decided at the first start of this run: {})", word(s.reorth_mode),
               decided.reason);
  return {mode_of(s, context.n, context.noise), decided.reason};
}

ModeChoice chosen_mode(const LanczosSettings& s, const ModeContext& context) {
  if (s.reorth_mode != ReorthMode::automatic) return {mode_of(s, context.n, context.noise), "requested"};
  if (context.decided) return decided_mode(s, context);
  ModeChoice choice = automatic_mode(s, context);
  spdlog::info("reorth_mode {} ({})", krylov::mode_name(choice.mode), choice.reason);
  return choice;
}

// Where the vectors of the mode lie.
void place_basis(const LanczosSettings& s, const ModeContext& context, ModeChoice& choice) {
  const Needs need = needs(choice.mode, s, context);
  const bool fits = need.all() <= context.memory, many = holds_many(choice.mode, context);
  choice.basis_reason = "requested";
  if (context.basis == BasisPlace::disk) {
    choice.on_disk = many;
    if (!many)
      choice.basis_reason = fmt::format("mode {} holds {} vectors; they stay in memory",
                                        krylov::mode_name(choice.mode), krylov::rows_needed(choice.mode));
  } else if (context.basis == BasisPlace::automatic) {
    choice.on_disk = many && !fits && disk_needed(choice.mode, need) <= context.disk;
    choice.basis_reason = fmt::format("auto: {} of Lanczos vectors{} {} into {} of memory", gib(need.all()),
                                      need.certificate > 0 ? ", the certificate's included," : "",
                                      fits ? "fit" : "do not fit", gib(context.memory));
  }
  if (!choice.on_disk && !fits) refuse(choice.mode, s, context, need);
  if (choice.on_disk && disk_needed(choice.mode, need) > context.disk)
    throw Refusal(fmt::format("--basis disk: {} of Lanczos vectors are more than the {} that are free there",
                              gib(disk_needed(choice.mode, need)), gib(context.disk)));
  choice.vectors_in_memory = (choice.on_disk ? need.others : need.all()) - kOtherRows * context.n * 8;
}

}  // namespace

ModeChoice choose_mode(const LanczosSettings& s, const ModeContext& context) {
  ModeChoice choice = chosen_mode(s, context);
  place_basis(s, context, choice);
  if (context.basis != BasisPlace::ram)
    spdlog::info("basis {} ({})", choice.on_disk ? "disk" : "ram", choice.basis_reason);
  return choice;
}

}  // namespace ritzflow::spectrum
