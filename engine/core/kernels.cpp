#include "core/kernels.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace ritzflow {
namespace {

// Bytes of a tile over all rows: half of a core's second-level cache, where the tile stays between the two
// halves of subtract_then_dots.
constexpr int64_t kTileBytes = 512 * 1024;

// Rows that go at once: as many running sums as hide the latency of an addition.
constexpr int kRowsAtOnce = 8;

// Elements of a tile, a function of the number of rows alone (partial sums are formed per tile).
int64_t tile_length(size_t rows) {
  const auto most = kTileBytes / int64_t{sizeof(double)} / std::max<int64_t>(1, static_cast<int64_t>(rows));
  return std::clamp(static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(most))), int64_t{128},
                    int64_t{1024});
}

// Four float64 lanes, added lane by lane in a fixed order (no -ffast-math).
using Lanes = double __attribute__((vector_size(32)));

Lanes load(const double* p) {
  Lanes x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

void store(double* p, Lanes x) { std::memcpy(p, &x, sizeof x); }

double total(Lanes x) { return (x[0] + x[1]) + (x[2] + x[3]); }

// R dot products with the same w: w is loaded once for R rows.
template <int R>
void tile_dots(const double* const* rows, int64_t first, const double* w, int64_t count, double* h) {
  Lanes sums[R] = {};
  int64_t t = 0;
  for (; t + 4 <= count; t += 4) {
    const Lanes x = load(w + t);
    for (int r = 0; r < R; ++r) sums[r] += load(rows[r] + first + t) * x;
  }
  for (int r = 0; r < R; ++r) {
    double sum = total(sums[r]);
    for (int64_t s = t; s < count; ++s) sum += rows[r][first + s] * w[s];
    h[r] += sum;
  }
}

void all_tile_dots(Rows rows, int64_t first, const double* w, int64_t count, double* h) {
  size_t i = 0;
  for (; i + kRowsAtOnce <= rows.size(); i += kRowsAtOnce)
    tile_dots<kRowsAtOnce>(&rows[i], first, w, count, h + i);
  for (; i < rows.size(); ++i) tile_dots<1>(&rows[i], first, w, count, h + i);
}

// w <- w - sum_r c_r rows_r over one tile: w is loaded and stored once for R rows.
template <int R>
void tile_subtract(const double* const* rows, const double* c, int64_t first, double* w, int64_t count) {
  int64_t t = 0;
  for (; t + 8 <= count; t += 8) {
    Lanes x = load(w + t), y = load(w + t + 4);
    for (int r = 0; r < R; ++r) {
      x -= c[r] * load(rows[r] + first + t);
      y -= c[r] * load(rows[r] + first + t + 4);
    }
    store(w + t, x);
    store(w + t + 4, y);
  }
  for (; t < count; ++t) {
    for (int r = 0; r < R; ++r) w[t] -= c[r] * rows[r][first + t];
  }
}

void all_tile_subtract(Rows rows, std::span<const double> c, int64_t first, double* w, int64_t count) {
  size_t i = 0;
  for (; i + kRowsAtOnce <= rows.size(); i += kRowsAtOnce) {
    tile_subtract<kRowsAtOnce>(&rows[i], &c[i], first, w, count);
  }
  for (; i < rows.size(); ++i) tile_subtract<1>(&rows[i], &c[i], first, w, count);
}

template <class Body>
void for_each_tile(size_t rows, int64_t first, int64_t last, Body body) {
  const int64_t length = tile_length(rows);
  for (int64_t t = first; t < last; t += length) body(t, std::min(length, last - t));
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
  // A whole chunk of each row at once: long runs let the hardware fetch ahead.
  reduce_chunks(static_cast<int64_t>(w.size()), h, [&](int64_t first, int64_t last, double* partial) {
    all_tile_dots(rows, first, w.data() + first, last - first, partial);
  });
}

void subtract(Rows rows, std::span<const double> c, VectorSpan w) {
  for_each_chunk(static_cast<int64_t>(w.size()), [&](int64_t first, int64_t last) {
    for_each_tile(rows.size(), first, last,
                  [&](int64_t t, int64_t count) { all_tile_subtract(rows, c, t, w.data() + t, count); });
  });
}

void subtract_then_dots(Rows rows, std::span<const double> c, VectorSpan w, std::span<double> g) {
  reduce_chunks(static_cast<int64_t>(w.size()), g, [&](int64_t first, int64_t last, double* partial) {
    for_each_tile(rows.size(), first, last, [&](int64_t t, int64_t count) {
      all_tile_subtract(rows, c, t, w.data() + t, count);
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

void recombine(std::span<double* const> rows, std::span<const double> s, int64_t n) {
  constexpr int64_t kLength = 256;
  const size_t k = rows.size(), kept = s.size() / k;
  std::vector<double> minus(s.begin(), s.end());
  for (double& v : minus) v = -v;
  const Rows old(rows.data(), k);
  for_each_chunk(n, [&](int64_t first, int64_t last) {
    std::vector<double> tile(kept * kLength);
    for (int64_t t = first; t < last; t += kLength) {
      const int64_t count = std::min(kLength, last - t);
      std::fill(tile.begin(), tile.end(), 0.0);
      for (size_t c = 0; c < kept; ++c) {
        all_tile_subtract(old, std::span(minus).subspan(c * k, k), t, &tile[c * kLength], count);
      }
      for (size_t c = 0; c < kept; ++c) std::copy_n(&tile[c * kLength], count, rows[c] + t);
    }
  });
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
