#pragma once
#ifdef __FMA__
#include <immintrin.h>
#endif

#include <cmath>
#include <cstdint>
#include <cstring>

namespace ritzflow {

/// Elements of a row that lie side by side in every layout: a cache line of float64.
inline constexpr int64_t kLine = 8;

namespace detail {

/// Four float64 lanes; sums run lane by lane in a fixed order (no -ffast-math).
using Lanes = double __attribute__((vector_size(32)));

/// A line of eight elements in registers.
struct Line {
  Lanes low, high;
};

inline Lanes load(const double* p) {
  Lanes x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

inline Lanes load(const float* p) {
  float __attribute__((vector_size(16))) x;
  std::memcpy(&x, p, sizeof x);
  return __builtin_convertvector(x, Lanes);
}

inline void store(double* p, Lanes x) { std::memcpy(p, &x, sizeof x); }

template <class T>
Line load_line(const T* p) {
  return {load(p), load(p + 4)};
}

inline void store_line(double* p, const Line& line) {
  store(p, line.low);
  store(p + 4, line.high);
}

/// x y + z with one rounding: the same bits with and without the instruction for it.
inline Lanes fma(Lanes x, Lanes y, Lanes z) {
#ifdef __FMA__
  return Lanes(_mm256_fmadd_pd(__m256d(x), __m256d(y), __m256d(z)));
#else
  for (int i = 0; i < 4; ++i) z[i] = std::fma(x[i], y[i], z[i]);
  return z;
#endif
}

inline Lanes broadcast(double c) { return Lanes{c, c, c, c}; }

inline double total(Lanes x) { return (x[0] + x[1]) + (x[2] + x[3]); }

}  // namespace detail
}  // namespace ritzflow
