#include "krylov/process/reorthogonalization.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/kernels.h"

namespace ritzflow {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

std::string mode_name(const Reorthogonalization& mode) {
  return std::visit(Overloaded{[](const Off&) { return "off"; }, [](const Window&) { return "selective"; },
                               [](const Full&) { return "full"; }, [](const Partial&) { return "partial"; },
                               [](const ParlettScott&) { return "parlett_scott"; },
                               [](const ThickRestart&) { return "thick_restart"; }},
                    mode);
}

int64_t rows_needed(const Reorthogonalization& mode) {
  return std::visit(
      Overloaded{[](const Off&) { return int64_t{2}; },
                 [](const Window& w) { return std::max<int64_t>(2, w.window); },
                 [](const ThickRestart& t) { return t.krylov_dim; }, [](const auto&) { return int64_t{0}; }},
      mode);
}

bool keeps_orthogonality(const Reorthogonalization& mode) {
  return !std::holds_alternative<Off>(mode) && !std::holds_alternative<Window>(mode);
}

double orthogonalize(const Reorthogonalization& mode, const Basis& basis, const LanczosHistory& history,
                     VectorSpan w, std::span<double> column) {
  const double beta = history.beta_previous();
  return std::visit(
      Overloaded{[&](const Partial& m) { return detail::orthogonalize(m, basis, history, w, column); },
                 [&](const ParlettScott& m) { return detail::orthogonalize(m, basis, history, w, column); },
                 [&](const auto& m) { return detail::orthogonalize(m, basis, beta, w, column); }},
      mode);
}

void detail::subtract_along(const Basis& basis, int64_t first, int64_t last, VectorSpan w,
                            std::span<double> column) {
  std::vector<double> c(static_cast<size_t>(last - first));
  basis.dots(first, w, c);
  basis.subtract(first, c, w);
  for (int64_t i = first; i < last; ++i) column[static_cast<size_t>(i)] += c[static_cast<size_t>(i - first)];
}

double detail::rounding_floor(const Basis& basis, double noise) {
  return std::max(std::sqrt(static_cast<double>(basis.dim())) * std::numeric_limits<double>::epsilon() / 2,
                  noise);
}

bool detail::near_breakdown(const LanczosHistory& history, double beta, double floor, double level) {
  const double least = floor * history.norm_a / level;
  return beta <= least || (!history.beta.empty() && history.beta.back() <= least);
}

bool detail::one_pass_is_enough(double before, double after) { return after > 0.7 * before; }

}  // namespace ritzflow
