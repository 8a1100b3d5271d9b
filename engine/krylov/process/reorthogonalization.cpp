#include "krylov/process/reorthogonalization.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/kernels.h"

namespace ritzflow::krylov {
namespace {

template <class Mode>
Reorthogonalization from(const LanczosSettings& settings, int64_t n, double noise) {
  return Mode::from(settings, n, noise);
}

struct Entry {
  const ModeTraits* traits;
  decltype(&from<Full>) make;
};

template <class... Modes>
std::vector<Entry> table_of(const std::variant<Modes...>*) {
  return {{&Modes::traits, &from<Modes>}...};
}

// One entry for each mode of the variant, in its order.
const std::vector<Entry>& table() {
  static const std::vector<Entry> all = table_of(static_cast<const Reorthogonalization*>(nullptr));
  return all;
}

const Entry* find(ReorthMode mode) {
  const auto entry = std::ranges::find(table(), mode, [](const Entry& e) { return e.traits->mode; });
  return entry == table().end() ? nullptr : &*entry;
}

}  // namespace

Reorthogonalization make_mode(const LanczosSettings& settings, int64_t n, double noise) {
  const Entry* entry = find(settings.reorth_mode);
  if (entry == nullptr) throw std::logic_error("mode auto is chosen first (choose_mode())");
  return entry->make(settings, n, noise);
}

const ModeTraits* find_traits(ReorthMode mode) {
  const Entry* entry = find(mode);
  return entry == nullptr ? nullptr : entry->traits;
}

const ModeTraits& traits_of(const Reorthogonalization& mode) { return *table()[mode.index()].traits; }

std::string mode_name(const Reorthogonalization& mode) { return word(traits_of(mode).mode); }

int64_t rows_needed(const Reorthogonalization& mode) {
  return std::visit([](const auto& m) { return m.rows(); }, mode);
}

int64_t restart_dim(const Reorthogonalization& mode) {
  return traits_of(mode).restarts ? rows_needed(mode) : 0;
}

bool reads_all_rows(const Reorthogonalization& mode) {
  return traits_of(mode).restarts || rows_needed(mode) == 0;
}

bool keeps_orthogonality(const Reorthogonalization& mode) {
  return traits_of(mode).keeps != Orthogonality::none;
}

double orthogonalize(const Reorthogonalization& mode, const Basis& basis, const LanczosHistory& history,
                     VectorSpan w, std::span<double> column) {
  return std::visit([&](const auto& m) { return detail::orthogonalize(m, basis, history, w, column); }, mode);
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

}  // namespace ritzflow::krylov
