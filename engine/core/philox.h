#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "core/vector.h"

namespace ritzflow {

/// One block of Philox4x32-10: four words that are a bijection of `counter` for every `key`.
/// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A counter-based stream of random numbers: element i is a function of (seed, stage, purpose, i) alone, so
/// that no order of evaluation and no number of threads changes a bit. Streams of another seed, stage or
/// purpose are independent; so are `bits` and `normal` of one stream, while `uniform(i)` is made from
/// `bits(i)`.
class Philox {
 public:
  /// The key is the first 8 bytes of SHA-256 over seed, stage and purpose.
  Philox(uint64_t seed, std::string_view stage, std::string_view purpose);

  /// 64 uniform random bits.
  uint64_t bits(uint64_t counter) const;

  /// Uniform in the open interval (0, 1): (k + 1/2) 2^-52 with k of 52 random bits, exact in float64.
  double uniform(uint64_t i) const;

  /// Standard normal, by Box and Muller from a pair of its own: sqrt(-2 ln u1) cos(2 pi u2).
  double normal(uint64_t i) const;

  /// out[i] = normal(i).
  void fill_normal(VectorSpan out) const;

 private:
  std::array<uint32_t, 2> key_{};
};

}  // namespace ritzflow
