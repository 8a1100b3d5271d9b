#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels.h"
#include "krylov/reorthogonalization.h"

namespace ritzflow::detail {
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
  void advance(int64_t j, double alpha_j, double beta_j) {
    std::vector<double>& next = before_;
    next.resize(static_cast<size_t>(j + 2));
    for (int64_t k = 0; k < j; ++k) {
      const double beta_before_k = k > 0 ? beta(k - 1) * now_[at(k - 1)] : 0;
      const double last = k < j - 1 ? beta(j - 1) * next[at(k)] : beta(j - 1);  // w_(j-1,j-1) = 1
      const double sum =
          beta(k) * now_[at(k + 1)] + (alpha(k) - alpha_j) * now_[at(k)] + beta_before_k - last;
      next[at(k)] = (sum + std::copysign(floor_ * history_.norm_a, sum)) / beta_j;
    }
    next[at(j)] = floor_;
    next[at(j + 1)] = 1;
    now_.swap(before_);
  }

  void reset(const Intervals& intervals) {
    for (const auto& [first, last] : intervals) std::fill(now_.begin() + first, now_.begin() + last, floor_);
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

void subtract_interval(const Basis& basis, int64_t first, int64_t last, VectorSpan w,
                       std::span<double> column) {
  std::vector<double> c(static_cast<size_t>(last - first));
  basis.dots(first, w, c);
  basis.subtract(first, c, w);
  for (int64_t i = first; i < last; ++i) column[static_cast<size_t>(i)] += c[static_cast<size_t>(i - first)];
}

}  // namespace

double orthogonalize(const Partial& mode, const Basis& basis, const LanczosHistory& history, VectorSpan w,
                     std::span<double> column) {
  double length = orthogonalize(Off{}, basis, history.beta_previous(), w, column);
  const int64_t j = basis.size() - 1;
  if (j < 2 || length == 0) return length;
  const double floor = std::max(std::sqrt(static_cast<double>(basis.dim())) * kEps / 2, mode.noise);
  Intervals intervals;
  if (second_of_two(history)) {
    intervals = recorded(history.columns.back());
  } else {
    // The recurrence runs anew from the recorded history: no state but H, so that a continued run has the
    // same bits.
    Omega omega(history, floor);
    for (int64_t i = 0; i < j; ++i) {
      const auto& past = history.columns[static_cast<size_t>(i)];
      omega.advance(i, past.back(), history.beta[static_cast<size_t>(i)]);
      omega.reset(recorded(past));
    }
    omega.advance(j, column.back(), length);
    const double m = static_cast<double>(j + 2), level = std::max(kEps, mode.noise);
    intervals = omega.intervals(j, std::sqrt(level / m), std::pow(level, 0.75) / std::sqrt(m));
  }
  if (intervals.empty()) return length;
  for (const auto& [first, last] : intervals) subtract_interval(basis, first, last, w, column);
  subtract_interval(basis, j - 1, j + 1, w, column);
  return norm(w);
}

}  // namespace ritzflow::detail
