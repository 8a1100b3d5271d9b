#include "core/kernels.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "core/chunk_kernels.h"

namespace ritzflow {
namespace {

using detail::ChunkKernel;

// Element `first`, a multiple of kLine, of a row.
template <class T>
T* at(T* row, int64_t stride, int64_t first) {
  return row + first / kLine * stride;
}

std::vector<double> negative(std::span<const double> c) {
  std::vector<double> minus(c.begin(), c.end());
  for (double& v : minus) v = -v;
  return minus;
}

// ||x|| from x'x where its squares neither overflowed nor underflowed, else by scaled squares.
double safe_root(double square, VectorView x) {
  const double plain = std::sqrt(square);
  if (std::isnormal(plain) && plain > 1e-140 && plain < 1e140) return plain;
  double largest = 0;
  for (double v : x) largest = std::max(largest, std::abs(v));
  if (largest == 0 || !std::isfinite(largest)) return plain;
  double sum = 0;
  for (double v : x) sum += (v / largest) * (v / largest);
  return largest * std::sqrt(sum);
}

// Runs body(kernel, its first element, whether it is the last one) over the pieces of a chunk: rows in memory
// are one piece.
template <class T, class Body>
void for_each_piece(BasicRows<T> rows, int64_t first, int64_t last, Body body) {
  body(ChunkKernel<T>(rows, first, last), first, true);
}
template <class T, class Body>
void for_each_piece(const RowSource<T>& rows, int64_t first, int64_t last, Body body) {
  for (int64_t t = first; t < last; t += rows.piece()) {
    const int64_t end = std::min(last, t + rows.piece());
    body(ChunkKernel<T>(rows.load(t, end), 0, end - t), t, end == last);
  }
}

template <class AnyRows>
void dots_of_any(const AnyRows& rows, VectorView w, std::span<double> h) {
  reduce_chunks(static_cast<int64_t>(w.size()), h, [&](int64_t first, int64_t last, double* partial) {
    std::vector<double> sums(4 * rows.size());
    for_each_piece(rows, first, last, [&](const auto& kernel, int64_t t, bool ends) {
      kernel.dots(&w[t], sums.data());
      if (ends) kernel.finish_dots(&w[t], sums.data(), partial);
    });
  });
}

// w <- w + sum_i c_i rows_i.
template <class AnyRows>
void add(const AnyRows& rows, std::span<const double> c, VectorSpan w) {
  for_each_chunk(static_cast<int64_t>(w.size()), [&](int64_t first, int64_t last) {
    for_each_piece(rows, first, last,
                   [&](const auto& kernel, int64_t t, bool) { kernel.add(c.data(), &w[t]); });
  });
}

template <class AnyRows>
double subtract_then_dots_of_any(const AnyRows& rows, std::span<const double> c, VectorSpan w,
                                 std::span<double> g) {
  const std::vector<double> minus = negative(c);
  std::vector<double> all(g.size() + 1);
  reduce_chunks(static_cast<int64_t>(w.size()), all, [&](int64_t first, int64_t last, double* partial) {
    std::vector<double> sums(4 * rows.size() + 4);
    for_each_piece(rows, first, last, [&](const auto& kernel, int64_t t, bool ends) {
      kernel.add_then_dots(minus.data(), &w[t], sums.data());
      if (ends) kernel.finish_dots_and_square(&w[t], sums.data(), partial);
    });
  });
  std::copy_n(all.begin(), g.size(), g.begin());
  return safe_root(all.back(), w);
}

}  // namespace

double dot(VectorView x, VectorView y) {
  const double* row = x.data();
  double result = 0;
  dots(Rows(&row, 1), y, {&result, 1});
  return result;
}

double norm(VectorView x) { return safe_root(dot(x, x), x); }

void scale(double a, VectorSpan x) {
  for_each_chunk(static_cast<int64_t>(x.size()), [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) x[t] *= a;
  });
}

template <class T>
void dots(BasicRows<T> rows, VectorView w, std::span<double> h) {
  dots_of_any(rows, w, h);
}
template <class T>
void dots(const RowSource<T>& rows, VectorView w, std::span<double> h) {
  dots_of_any(rows, w, h);
}

template <class T>
void subtract(BasicRows<T> rows, std::span<const double> c, VectorSpan w) {
  add(rows, negative(c), w);
}
template <class T>
void subtract(const RowSource<T>& rows, std::span<const double> c, VectorSpan w) {
  add(rows, negative(c), w);
}

template <class T>
double subtract_then_dots(BasicRows<T> rows, std::span<const double> c, VectorSpan w, std::span<double> g) {
  return subtract_then_dots_of_any(rows, c, w, g);
}
template <class T>
double subtract_then_dots(const RowSource<T>& rows, std::span<const double> c, VectorSpan w,
                          std::span<double> g) {
  return subtract_then_dots_of_any(rows, c, w, g);
}

template <class T>
void combine(BasicRows<T> rows, std::span<const double> c, VectorSpan out) {
  std::fill(out.begin(), out.end(), 0.0);
  add(rows, c, out);
}
template <class T>
void combine(const RowSource<T>& rows, std::span<const double> c, VectorSpan out) {
  std::fill(out.begin(), out.end(), 0.0);
  add(rows, c, out);
}

template <class T>
void recombine(std::span<T* const> rows, int64_t stride, std::span<const double> s, int64_t n) {
  constexpr int64_t kLength = 256;
  const size_t k = rows.size(), kept = s.size() / k;
  const BasicRows<T> old(std::span<const T* const>(rows.data(), k), stride);
  for_each_chunk(n, [&](int64_t first, int64_t last) {
    std::vector<double> tile(kept * kLength);
    for (int64_t t = first; t < last; t += kLength) {
      const int64_t count = std::min(kLength, last - t);
      std::fill(tile.begin(), tile.end(), 0.0);
      const ChunkKernel<T> kernel(old, t, t + count);
      for (size_t c = 0; c < kept; ++c) kernel.add(&s[c * k], &tile[c * kLength]);
      for (size_t c = 0; c < kept; ++c) {
        for (int64_t e = 0; e < count; ++e)
          at(rows[c], stride, t)[e / kLine * stride + e % kLine] = static_cast<T>(tile[c * kLength + e]);
      }
    }
  });
}

template <class T>
void scatter(VectorView x, T* row, int64_t stride) {
  for_each_chunk(static_cast<int64_t>(x.size()), [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; t += kLine) {
      T* line = at(row, stride, t);
      for (int64_t e = 0; e < std::min(kLine, last - t); ++e) line[e] = static_cast<T>(x[t + e]);
    }
  });
}

template <class T>
void gather(const T* row, int64_t stride, VectorSpan x) {
  for_each_chunk(static_cast<int64_t>(x.size()), [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; t += kLine) {
      const T* line = at(row, stride, t);
      for (int64_t e = 0; e < std::min(kLine, last - t); ++e) x[t + e] = line[e];
    }
  });
}

// NOLINTBEGIN(bugprone-macro-parentheses): T is a type
#define RITZFLOW_ROWS(R)                                                                         \
  template void dots(R, VectorView, std::span<double>);                                          \
  template void subtract(R, std::span<const double>, VectorSpan);                                \
  template double subtract_then_dots(R, std::span<const double>, VectorSpan, std::span<double>); \
  template void combine(R, std::span<const double>, VectorSpan);
#define RITZFLOW_KERNELS(T)                                                                \
  RITZFLOW_ROWS(BasicRows<T>)                                                              \
  RITZFLOW_ROWS(const RowSource<T>&)                                                       \
  template void recombine(std::span<T* const>, int64_t, std::span<const double>, int64_t); \
  template void scatter(VectorView, T*, int64_t);                                          \
  template void gather(const T*, int64_t, VectorSpan);
RITZFLOW_KERNELS(double)
RITZFLOW_KERNELS(float)
#undef RITZFLOW_KERNELS
#undef RITZFLOW_ROWS
// NOLINTEND(bugprone-macro-parentheses)

bool all_finite(VectorView x) {
  std::atomic<bool> finite{true};
  for_each_chunk(static_cast<int64_t>(x.size()), [&](int64_t first, int64_t last) {
    // 0 * x is 0 for finite x and NaN otherwise; a sum keeps the NaN.
    double sum = 0;
    for (int64_t t = first; t < last; ++t) sum += 0.0 * x[t];
    if (sum != 0) finite = false;
  });
  return finite;
}

}  // namespace ritzflow
