#include "krylov/reorthogonalization.h"

#include <algorithm>

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

}  // namespace ritzflow
