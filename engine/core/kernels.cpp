#include "core/kernels.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

namespace ritzflow {
namespace {

// Elements of a tile: 64 rows of it (512 KiB) stay in a core's second-level cache between the two halves of
// subtract_then_dots.
constexpr int64_t kTile = 1024;

// Four float64 lanes, added lane by lane in a fixed order (no -ffast-math).
using Lanes = double __attribute__((vector_size(32)));

Lanes load(const double* p) {
  Lanes x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

double total(Lanes x) { return (x[0] + x[1]) + (x[2] + x[3]); }

// R dot products with the same w: w is loaded once for R rows.
template <int R>
void tile_dots(const double* const* rows, int64_t first, const double* w, int64_t count, double* h) {
  Lanes even[R] = {}, odd[R] = {};
  int64_t t = 0;
  for (; t + 8 <= count; t += 8) {
    const Lanes w0 = load(w + t), w1 = load(w + t + 4);
    for (int r = 0; r < R; ++r) {
      even[r] += load(rows[r] + first + t) * w0;
      odd[r] += load(rows[r] + first + t + 4) * w1;
    }
  }
  for (int r = 0; r < R; ++r) {
    double sum = total(even[r] + odd[r]);
    for (int64_t s = t; s < count; ++s) sum += rows[r][first + s] * w[s];
    h[r] += sum;
  }
}

void all_tile_dots(Rows rows, int64_t first, const double* w, int64_t count, double* h) {
  size_t i = 0;
  for (; i + 4 <= rows.size(); i += 4) tile_dots<4>(&rows[i], first, w, count, h + i);
  for (; i < rows.size(); ++i) tile_dots<1>(&rows[i], first, w, count, h + i);
}

void tile_subtract(Rows rows, std::span<const double> c, int64_t first, double* w, int64_t count) {
  size_t i = 0;
  for (; i + 4 <= rows.size(); i += 4) {
    const double *a = rows[i] + first, *b = rows[i + 1] + first, *d = rows[i + 2] + first,
                 *e = rows[i + 3] + first;
    const double ca = c[i], cb = c[i + 1], cd = c[i + 2], ce = c[i + 3];
    for (int64_t t = 0; t < count; ++t) w[t] -= (ca * a[t] + cb * b[t]) + (cd * d[t] + ce * e[t]);
  }
  for (; i < rows.size(); ++i) {
    const double* a = rows[i] + first;
    const double ca = c[i];
    for (int64_t t = 0; t < count; ++t) w[t] -= ca * a[t];
  }
}

template <class Body>
void for_each_tile(int64_t first, int64_t last, Body body) {
  for (int64_t t = first; t < last; t += kTile) body(t, std::min(kTile, last - t));
}

// Runs body(chunk's first, last, its k partial sums) and adds the partial sums in chunk order.
template <class Body>
void reduce_chunks(int64_t n, std::span<double> sums, Body body) {
  const auto k = static_cast<int64_t>(sums.size());
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  std::vector<double> partial(static_cast<size_t>(chunks * k), 0.0);
  for_each_chunk(n, [&](int64_t first, int64_t last) { body(first, last, &partial[first / kChunk * k]); });
  std::fill(sums.begin(), sums.end(), 0.0);
  for (int64_t c = 0; c < chunks; ++c) {
    for (int64_t i = 0; i < k; ++i) sums[i] += partial[c * k + i];
  }
}

}  // namespace

void for_each_chunk(int64_t n, const std::function<void(int64_t, int64_t)>& body) {
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  const auto run = [&](int64_t c) { body(c * kChunk, std::min(n, (c + 1) * kChunk)); };
  if (chunks == 1) return run(0);
  tbb::parallel_for(int64_t{0}, chunks, run);
}

double dot(VectorView x, VectorView y) {
  const double* row = x.data();
  double result = 0;
  dots(Rows(&row, 1), y, {&result, 1});
  return result;
}

double norm(VectorView x) {
  const double plain = std::sqrt(dot(x, x));
  if (std::isnormal(plain) && plain > 1e-140 && plain < 1e140) return plain;
  double largest = 0;
  for (double v : x) largest = std::max(largest, std::abs(v));
  if (largest == 0 || !std::isfinite(largest)) return plain;
  double sum = 0;
  for (double v : x) sum += (v / largest) * (v / largest);
  return largest * std::sqrt(sum);
}

void scale(double a, VectorSpan x) {
  for_each_chunk(static_cast<int64_t>(x.size()), [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) x[t] *= a;
  });
}

void dots(Rows rows, VectorView w, std::span<double> h) {
  reduce_chunks(static_cast<int64_t>(w.size()), h, [&](int64_t first, int64_t last, double* partial) {
    for_each_tile(first, last,
                  [&](int64_t t, int64_t count) { all_tile_dots(rows, t, w.data() + t, count, partial); });
  });
}

void subtract(Rows rows, std::span<const double> c, VectorSpan w) {
  for_each_chunk(static_cast<int64_t>(w.size()), [&](int64_t first, int64_t last) {
    for_each_tile(first, last,
                  [&](int64_t t, int64_t count) { tile_subtract(rows, c, t, w.data() + t, count); });
  });
}

void subtract_then_dots(Rows rows, std::span<const double> c, VectorSpan w, std::span<double> g) {
  reduce_chunks(static_cast<int64_t>(w.size()), g, [&](int64_t first, int64_t last, double* partial) {
    for_each_tile(first, last, [&](int64_t t, int64_t count) {
      tile_subtract(rows, c, t, w.data() + t, count);
      all_tile_dots(rows, t, w.data() + t, count, partial);
    });
  });
}

void combine(Rows rows, std::span<const double> c, VectorSpan out) {
  std::vector<double> minus(c.begin(), c.end());
  for (double& v : minus) v = -v;
  std::fill(out.begin(), out.end(), 0.0);
  subtract(rows, minus, out);
}

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
