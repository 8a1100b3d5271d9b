#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow::krylov {

const ModeTraits Partial::traits = {
    .mode = ReorthMode::partial, .keeps = Orthogonality::semi, .stops_early = true};

namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

// Half-open intervals of rows.
using Intervals = std::vector<std::pair<int64_t, int64_t>>;

// The rows that step j was made orthogonal to beyond the two of the recurrence: where column j of H has
// entries.
Intervals recorded(const std::vector<double>& column) {
  Intervals intervals;
  const auto tail = static_cast<int64_t>(column.size()) - 2;
  for (int64_t i = 0; i < tail; ++i) {
    if (column[static_cast<size_t>(i)] == 0) continue;
    if (intervals.empty() || intervals.back().second != i) intervals.emplace_back(i, i);
    ++intervals.back().second;
  }
  return intervals;
}

// Two rows of the omega recurrence, w_(j,.) and w_(j+1,.), estimates of q_j'q_k: pointers are swapped, never
// copied over each other.
class Omega {
 public:
  Omega(const LanczosHistory& history, double floor) : history_(history), floor_(floor) {}

  // From w_(j-1,.), w_(j,.) to w_(j,.), w_(j+1,.), with alpha_j and beta_j of step j:
  // beta_j w_(j+1,k) = beta_k w_(j,k+1) + (alpha_k - alpha_j) w_(j,k) + beta_(k-1) w_(j,k-1) - beta_(j-1)
  // w_(j-1,k)
  // A breakdown, beta_j = 0, is followed by a direction that was made orthogonal to all rows.
  void advance(int64_t j, double alpha_j, double beta_j) {
    std::vector<double>& next = before_;
    next.resize(static_cast<size_t>(j + 2));
    if (beta_j == 0) std::fill_n(next.begin(), j, floor_);
    for (int64_t k = 0; k < j && beta_j > 0; ++k) {
      const double beta_before_k = k > 0 ? beta(k - 1) * now_[at(k - 1)] : 0;
      const double last = k < j - 1 ? beta(j - 1) * next[at(k)] : beta(j - 1);  // w_(j-1,j-1) = 1
      const double sum =
          beta(k) * now_[at(k + 1)] + (alpha(k) - alpha_j) * now_[at(k)] + beta_before_k - last;
      next[at(k)] = std::clamp((sum + std::copysign(floor_ * history_.norm_a, sum)) / beta_j, -1.0, 1.0);
    }
    next[at(j)] = floor_;
    next[at(j + 1)] = 1;
    now_.swap(before_);
  }

  void set(const Intervals& intervals, double value) {
    for (const auto& [first, last] : intervals) std::fill(now_.begin() + first, now_.begin() + last, value);
  }

  // Around each entry above `trigger`, the neighbours above `edge`; only rows 0..j-2, the recurrence has the
  // others.
  Intervals intervals(int64_t j, double trigger, double edge) const {
    Intervals result;
    for (int64_t k = 0; k < j - 1; ++k) {
      if (std::abs(now_[at(k)]) <= trigger) continue;
      int64_t first = k, last = k;
      while (first > 0 && std::abs(now_[at(first - 1)]) > edge) --first;
      while (last < j - 1 && std::abs(now_[at(last)]) > edge) ++last;
      if (!result.empty()) first = std::max(first, result.back().second);
      if (first < last) result.emplace_back(first, last);
      k = last;
    }
    return result;
  }

 private:
  static size_t at(int64_t i) { return static_cast<size_t>(i); }
  double alpha(int64_t k) const { return history_.columns[at(k)].back(); }
  double beta(int64_t k) const { return history_.beta[at(k)]; }

  const LanczosHistory& history_;
  double floor_;
  std::vector<double> before_, now_ = {1};
};

// q_(j+2) follows q_(j+1): an odd number of steps in a row with recorded intervals asks for one more.
bool second_of_two(const LanczosHistory& history) {
  size_t count = 0;
  while (count < history.columns.size() &&
         !recorded(history.columns[history.columns.size() - 1 - count]).empty()) {
    ++count;
  }
  return count % 2 == 1;
}

// The rows that this step has to be made orthogonal to, from its alpha and beta.
Intervals due(const LanczosHistory& history, int64_t j, double alpha_j, double beta_j, double floor,
              double level) {
  // The recurrence runs again from the recorded history: no state but H, so that a continued run has the
  // same bits.
  Omega omega(history, floor);
  for (int64_t i = 0; i < j; ++i) {
    const auto& past = history.columns[static_cast<size_t>(i)];
    omega.advance(i, past.back(), history.beta[static_cast<size_t>(i)]);
    omega.set(recorded(past), floor);
  }
  omega.advance(j, alpha_j, beta_j);
  if (second_of_two(history)) omega.set(recorded(history.columns.back()), 1);
  const double m = static_cast<double>(j + 2);
  return omega.intervals(j, std::sqrt(level / m), std::pow(level, 0.75) / std::sqrt(m));
}

}  // namespace

double detail::orthogonalize(const Partial& mode, const Basis& basis, const LanczosHistory& history,
                             VectorSpan w, std::span<double> column) {
  const double length = orthogonalize(Off{}, basis, history, w, column);
  const int64_t j = basis.size() - 1;
  if (length == 0) return length;
  const double floor = rounding_floor(basis, mode.noise), level = std::max(kEps, mode.noise);
  if (near_breakdown(history, length, floor, std::sqrt(level / static_cast<double>(j + 2))))
    return orthogonalize(Full{}, basis, history, w, column);
  if (j < 2) return length;
  const Intervals intervals = due(history, j, column.back(), length, floor, level);
  if (intervals.empty()) return length;
  for (const auto& [first, last] : intervals) subtract_along(basis, first, last, w, column);
  subtract_along(basis, j - 1, j + 1, w, column);
  const double left = norm(w);
  return one_pass_is_enough(length, left) ? left : orthogonalize(Full{}, basis, history, w, column);
}

}  // namespace ritzflow::krylov
