#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "krylov/basis.h"
#include "krylov/wanted.h"

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

/// A mode is a value.
using Reorthogonalization = std::variant<Off, Window, Full, ThickRestart>;

/// Name of the mode as in `--reorth-mode`.
std::string mode_name(const Reorthogonalization& mode);

/// The newest basis rows that the mode reads (0: all), which is what it must hold in memory.
int64_t rows_needed(const Reorthogonalization& mode);

/// Whether the mode keeps the basis orthogonal to rounding.
bool keeps_orthogonality(const Reorthogonalization& mode);

/// Makes w = A q_j orthogonal to the rows that the mode looks at (j = basis.size() - 1) and adds **every**
/// coefficient that it subtracts to `column` [j+1], column j of H, so that A q_j = sum_i H_ij q_i + w holds
/// to rounding whatever the state of the basis. `beta_previous` couples q_(j-1) and q_j. Returns ||w||.
double orthogonalize(const Reorthogonalization& mode, const Basis& basis, double beta_previous, VectorSpan w,
                     std::span<double> column);

namespace detail {
double orthogonalize(const Off&, const Basis&, double beta_previous, VectorSpan w, std::span<double> column);
double orthogonalize(const Window&, const Basis&, double beta_previous, VectorSpan w,
                     std::span<double> column);
double orthogonalize(const Full&, const Basis&, double beta_previous, VectorSpan w, std::span<double> column);
double orthogonalize(const ThickRestart&, const Basis&, double beta_previous, VectorSpan w,
                     std::span<double> column);
}  // namespace detail

}  // namespace ritzflow
