#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "krylov/basis/basis.h"
#include "krylov/process/wanted.h"

namespace ritzflow {

/// No reorthogonalisation: Paige's three-term recurrence (variant A1, IMA J. Appl. Math. 10:373, 1972).
struct Off {};

/// The sliding window called `selective` in the method's guides: every `period` steps, modified Gram-Schmidt
/// against the last `window` vectors. An ablation arm: it does not restore orthogonality.
struct Window {
  int64_t window = 8;
  int64_t period = 5;
};

/// Classical Gram-Schmidt against all vectors, repeated until the measured coefficients are rounding noise
/// ("twice is enough"; Giraud, Langou, Rozloznik, van den Eshof, Numer. Math. 101, 2005).
struct Full {};

/// Mode `full` on at most `krylov_dim` rows: when they are full, the basis is compressed to the best Ritz
/// vectors of the wanted ends (Wu and Simon, SIAM J. Matrix Anal. Appl. 22:602, 2000). `k` and `which` are
/// those of the run.
struct ThickRestart {
  int64_t krylov_dim = 40;
  int64_t k = 10;
  Which which = Which::largest;
};

/// Partial reorthogonalisation (Simon, Math. Comp. 42:115, 1984): the omega recurrence estimates q_i'q_j from
/// alpha and beta alone; where it passes sqrt(max(eps, noise) / m), the new vector and the one after it are
/// made orthogonal to the intervals that it names. `noise` is the measured relative noise of a product, the
/// recurrence's floor. After a near-breakdown, where the recurrence bounds nothing, two steps are those of
/// `full`.
struct Partial {
  double noise = 0;
};

/// Selective orthogonalisation (Parlett and Scott, Math. Comp. 33:217, 1979): against the Ritz vectors that
/// have converged to the square root of max(eps, noise), for two steps in a row, when the tau recurrence says
/// that the new vector has come to lean on one, or when one more has converged. After a near-breakdown two
/// steps are those of `full`. Not to be confused with the sliding window.
struct ParlettScott {
  double noise = 0;
};

/// A mode is a value.
using Reorthogonalization = std::variant<Off, Window, Full, Partial, ParlettScott, ThickRestart>;

/// Name of the mode as in `--reorth-mode`.
std::string mode_name(const Reorthogonalization& mode);

/// The newest basis rows that the mode reads (0: all), which is what it must hold in memory.
int64_t rows_needed(const Reorthogonalization& mode);

/// Whether the mode keeps the basis orthogonal: to rounding, or `partial` and `parlett_scott` to the square
/// root of it, which is all that T's eigenvalues need.
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

namespace detail {
double orthogonalize(const Off&, const Basis&, double beta_previous, VectorSpan w, std::span<double> column);
double orthogonalize(const Window&, const Basis&, double beta_previous, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const Full&, const Basis&, double beta_previous, VectorSpan w, std::span<double> column);
double orthogonalize(const Partial&, const Basis&, const LanczosHistory&, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const ParlettScott&, const Basis&, const LanczosHistory&, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const ThickRestart&, const Basis&, double beta_previous, VectorSpan w,
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

}  // namespace ritzflow
