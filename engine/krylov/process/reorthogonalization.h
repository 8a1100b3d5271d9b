#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "krylov/basis/basis.h"
#include "settings/lanczos_settings.h"

namespace ritzflow::krylov {

struct KrylovFactorization;

/// What a mode keeps of the orthogonality of its basis: nothing, the square root of rounding (all that the
/// eigenvalues of T need), or all to rounding.
enum class Orthogonality : uint8_t { none, semi, full };

/// What is true of every run of a mode.
struct ModeTraits {
  ReorthMode mode;
  Orthogonality keeps = Orthogonality::full;
  bool restarts = false;     ///< compresses its basis, and H with it, when its rows are in use
  bool tridiagonal = false;  ///< H is T to rounding (after a restart: an arrow that T continues)
  bool stops_early = false;  ///< the residual estimates of T are those of its Ritz pairs
};

/// Classical Gram-Schmidt against all vectors, repeated until the measured coefficients are rounding noise
/// ("twice is enough"; Giraud, Langou, Rozloznik, van den Eshof, Numer. Math. 101, 2005).
struct Full {
  static const ModeTraits traits;
  static Full from(const LanczosSettings&, int64_t, double) { return {}; }
  int64_t rows() const { return 0; }
};

/// Partial reorthogonalisation (Simon, Math. Comp. 42:115, 1984): the omega recurrence estimates q_i'q_j from
/// alpha and beta alone; where it passes sqrt(max(eps, noise) / m), the new vector and the one after it are
/// made orthogonal to the intervals that it names. `noise` is the measured relative noise of a product, the
/// recurrence's floor. After a near-breakdown, where the recurrence bounds nothing, two steps are those of
/// `full`.
struct Partial {
  double noise = 0;

  static const ModeTraits traits;
  static Partial from(const LanczosSettings&, int64_t, double noise) { return {noise}; }
  int64_t rows() const { return 0; }
};

/// Selective orthogonalisation (Parlett and Scott, Math. Comp. 33:217, 1979): against the Ritz vectors that
/// have converged to the square root of max(eps, noise), for two steps in a row, when the tau recurrence says
/// that the new vector has come to lean on one, or when one more has converged. After a near-breakdown two
/// steps are those of `full`. Not to be confused with the sliding window.
struct ParlettScott {
  double noise = 0;

  static const ModeTraits traits;
  static ParlettScott from(const LanczosSettings&, int64_t, double noise) { return {noise}; }
  int64_t rows() const { return 0; }
};

/// Mode `full` on at most `krylov_dim` rows: when they are full, the basis is compressed to the best Ritz
/// vectors of the wanted ends (Wu and Simon, SIAM J. Matrix Anal. Appl. 22:602, 2000). `k` and `which` are
/// those of the run.
struct ThickRestart {
  int64_t krylov_dim = 40;
  int64_t k = 10;
  Which which = Which::largest;

  static const ModeTraits traits;
  static ThickRestart from(const LanczosSettings& s, int64_t n, double noise);
  int64_t rows() const { return krylov_dim; }
};

/// No reorthogonalisation: Paige's three-term recurrence (variant A1, IMA J. Appl. Math. 10:373, 1972).
struct Off {
  static const ModeTraits traits;
  static Off from(const LanczosSettings&, int64_t, double) { return {}; }
  int64_t rows() const { return 2; }
};

/// The sliding window called `selective` in the method's guides: every `period` steps, modified Gram-Schmidt
/// against the last `window` vectors. An ablation arm: it does not restore orthogonality.
struct Window {
  int64_t window = 8;
  int64_t period = 5;

  static const ModeTraits traits;
  static Window from(const LanczosSettings& s, int64_t, double) { return {s.reorth_window, s.reorth_period}; }
  int64_t rows() const { return std::max<int64_t>(2, window); }
};

/// A mode is a value, and each alternative says of itself: its `traits`; `from` settings, the dimension of
/// the operator and the relative noise of a product the mode that they ask for; `rows`, the newest ones of
/// the basis that it reads (0: all).
using Reorthogonalization = std::variant<Full, Partial, ParlettScott, ThickRestart, Off, Window>;

/// The mode that `settings` name, for an operator of dimension n with products of this relative noise.
/// `automatic` names none: std::logic_error.
Reorthogonalization make_mode(const LanczosSettings& settings, int64_t n, double noise);

/// The traits of a mode, by name (null for `automatic`) or by value.
const ModeTraits* find_traits(ReorthMode mode);
const ModeTraits& traits_of(const Reorthogonalization& mode);

/// Name of the mode as in `--reorth-mode`.
std::string mode_name(const Reorthogonalization& mode);

/// The newest basis rows that the mode reads (0: all), which is what it must hold in memory.
int64_t rows_needed(const Reorthogonalization& mode);

/// The rows at which the mode restarts; 0 where it does not.
int64_t restart_dim(const Reorthogonalization& mode);

/// Whether a run of the mode returns to rows that it has passed, all of them or those since a
/// restart.
bool reads_all_rows(const Reorthogonalization& mode);

/// Whether the mode keeps the basis orthogonal, if only to the square root of rounding.
bool keeps_orthogonality(const Reorthogonalization& mode);

/// Columns 0..j-1 of H as recorded (each ends in its alpha) and their subdiagonal.
struct LanczosHistory {
  std::span<const std::vector<double>> columns;
  std::span<const double> beta;
  double norm_a = 0;  ///< largest ||A q_i|| so far, including the current product
  double beta_previous() const { return beta.empty() ? 0.0 : beta.back(); }
};

/// Makes w = A q_j orthogonal to the rows that the mode looks at (j = basis.size() - 1) and adds **every**
/// coefficient that it subtracts to `column` [j+1], column j of H, so that A q_j = sum_i H_ij q_i + w holds
/// to rounding whatever the state of the basis. Returns ||w||.
double orthogonalize(const Reorthogonalization& mode, const Basis& basis, const LanczosHistory& history,
                     VectorSpan w, std::span<double> column);

/// Throws InputError where the settings of the mode cannot be right for an operator of dimension n.
void check_mode(const Reorthogonalization& mode, int64_t n);

/// Where the mode restarts and all its rows are in use: compresses H and the basis to the Schur vectors that
/// it keeps.
void restart_if_full(const Reorthogonalization& mode, KrylovFactorization& f, Basis& basis);

namespace detail {
double orthogonalize(const Full&, const Basis&, const LanczosHistory&, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const Partial&, const Basis&, const LanczosHistory&, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const ParlettScott&, const Basis&, const LanczosHistory&, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const ThickRestart&, const Basis&, const LanczosHistory&, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const Off&, const Basis&, const LanczosHistory&, VectorSpan w, std::span<double> column);
double orthogonalize(const Window&, const Basis&, const LanczosHistory&, VectorSpan w,
                     std::span<double> column);

/// Subtracts what w has along rows first..last-1 and adds it to `column`.
void subtract_along(const Basis& basis, int64_t first, int64_t last, VectorSpan w, std::span<double> column);

/// Relative rounding of a step: sqrt(n) eps / 2, or the noise of a product.
double rounding_floor(const Basis& basis, double noise);

/// Whether rounding alone, floor ||A|| / beta, takes the vector after this step or the last one past `level`
/// of orthogonality: the recurrences that watch it assume that it does not (PROPACK and SLEPc fall back to
/// full reorthogonalisation by the same rule).
bool near_breakdown(const LanczosHistory& history, double beta, double floor, double level);

/// Whether one pass of classical Gram-Schmidt took w from length `before` to `after` without the cancellation
/// that calls for a second one (Daniel, Gragg, Kaufman, Stewart).
bool one_pass_is_enough(double before, double after);
}  // namespace detail

}  // namespace ritzflow::krylov
