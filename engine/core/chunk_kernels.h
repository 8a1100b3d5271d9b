#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/kernels.h"
#include "core/lines.h"

namespace ritzflow::detail {

// Rows that go at once where their lines are not interleaved: memory is fetched ahead on few streams only,
// and so many running sums hide the latency of an addition.
inline constexpr size_t kRowsAtOnce = 8;

/// The elements [first, last) of w, at most a chunk, beside the same elements of k rows: whole lines, and a
/// tail shorter than one. first is a multiple of kLine. The coefficient of each row is added with one
/// rounding, in the order of rows; each sum runs over lines in four lanes, which the caller keeps: a chunk
/// that is taken piece by piece has the bits of one taken at once. Only the last piece may have a tail.
template <class T>
class ChunkKernel {
 public:
  ChunkKernel(BasicRows<T> rows, int64_t first, int64_t last)
      : rows_(rows),
        offset_(first / kLine * rows.stride()),
        lines_((last - first) / kLine),
        tail_((last - first) % kLine) {}

  /// The lanes of rows_i . w are added to sums [4 k].
  void dots(const double* w, double* sums) const {
    const size_t k = rows_.size();
    if (interleaved()) {
      const size_t step = rows_of_whole_panels();
      for (size_t i = 0; i < k; i += step) {
        for (int64_t line = 0; line < lines_; ++line)
          add_line_dots(i, std::min(k, i + step), line, load_line(w + line * kLine), sums);
      }
    } else {
      size_t i = 0;
      for (; i + kRowsAtOnce <= k; i += kRowsAtOnce) dots_of_rows<kRowsAtOnce>(i, w, &sums[4 * i]);
      for (; i < k; ++i) dots_of_rows<1>(i, w, &sums[4 * i]);
    }
  }

  /// h_i = rows_i . w: the sum of the four lanes and of the tail.
  void finish_dots(const double* w, const double* sums, double* h) const {
    for (size_t i = 0; i < rows_.size(); ++i) {
      h[i] = total(load(sums + 4 * i));
      for (int64_t t = 0; t < tail_; ++t) h[i] += double(tail(i)[t]) * w[kLine * lines_ + t];
    }
  }

  /// w <- w + sum_i c_i rows_i.
  void add(const double* c, double* w) const {
    const size_t k = rows_.size(), step = interleaved() ? k : kRowsAtOnce;
    for (size_t i = 0; i < k; i += step) {
      for (int64_t line = 0; line < lines_; ++line) add_line(i, std::min(k, i + step), c, line, w);
    }
    add_tail(c, w);
  }

  /// The same, and the lanes of rows_i . w and of w . w of the new w are added to sums [4 k + 4].
  void add_then_dots(const double* c, double* w, double* sums) const {
    const size_t k = rows_.size();
    Lanes square = load(sums + 4 * k);
    for (int64_t line = 0; line < lines_; ++line) {
      const Line x = add_line(0, k, c, line, w);
      square = fma(x.high, x.high, fma(x.low, x.low, square));
      add_line_dots(0, k, line, x, sums);
    }
    add_tail(c, w);
    store(sums + 4 * k, square);
  }

  /// g_i = rows_i . w and g_k = w . w.
  void finish_dots_and_square(const double* w, const double* sums, double* g) const {
    finish_dots(w, sums, g);
    const size_t k = rows_.size();
    g[k] = total(load(sums + 4 * k));
    for (int64_t t = kLine * lines_; t < kLine * lines_ + tail_; ++t) g[k] += w[t] * w[t];
  }

 private:
  bool interleaved() const { return rows_.stride() != kLine && rows_.size() >= kRowsAtOnce; }

  // So many rows of whole panels that a line of each and its running sums are a fraction of the first-level
  // cache.
  size_t rows_of_whole_panels() const {
    const auto width = static_cast<size_t>(rows_.stride() / kLine);
    return std::max(width, 64 / width * width);
  }

  template <size_t R>
  void dots_of_rows(size_t first, const double* w, double* sums) const {
    Lanes sum[R];
    for (size_t r = 0; r < R; ++r) sum[r] = load(sums + 4 * r);
    for (int64_t line = 0; line < lines_; ++line) {
      const Line x = load_line(w + line * kLine);
      for (size_t r = 0; r < R; ++r) {
        const Line q = load_line(rows_[first + r] + offset_ + line * rows_.stride());
        sum[r] = fma(q.high, x.high, fma(q.low, x.low, sum[r]));
      }
    }
    for (size_t r = 0; r < R; ++r) store(sums + 4 * r, sum[r]);
  }

  void add_line_dots(size_t first, size_t last, int64_t line, Line x, double* sums) const {
    const int64_t at = offset_ + line * rows_.stride();
    for (size_t i = first; i < last; ++i) {
      const Line q = load_line(rows_[i] + at);
      store(sums + 4 * i, fma(q.high, x.high, fma(q.low, x.low, load(sums + 4 * i))));
    }
  }

  Line add_line(size_t first, size_t last, const double* c, int64_t line, double* w) const {
    const int64_t at = offset_ + line * rows_.stride();
    Line x = load_line(w + line * kLine);
    for (size_t i = first; i < last; ++i) {
      const Line q = load_line(rows_[i] + at);
      const Lanes ci = broadcast(c[i]);
      x = {fma(ci, q.low, x.low), fma(ci, q.high, x.high)};
    }
    store_line(w + line * kLine, x);
    return x;
  }

  void add_tail(const double* c, double* w) const {
    for (int64_t t = 0; t < tail_; ++t) {
      double& x = w[kLine * lines_ + t];
      for (size_t i = 0; i < rows_.size(); ++i) x = std::fma(c[i], tail(i)[t], x);
    }
  }

  const T* tail(size_t i) const { return rows_[i] + offset_ + lines_ * rows_.stride(); }

  BasicRows<T> rows_;
  int64_t offset_, lines_, tail_;
};

}  // namespace ritzflow::detail
