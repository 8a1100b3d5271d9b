#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace ritzflow {

/// Elements of a vector that one task reduces alone. A constant: partial sums are formed per chunk and added
/// in chunk order, so that every result has the same bits for 1, 2, ... threads.
inline constexpr int64_t kChunk = 65536;

/// Runs body(first, last) over the fixed chunks of [first, last) in parallel; `first` is the beginning of
/// one.
void for_each_chunk(int64_t first, int64_t last,
                    const std::function<void(int64_t first, int64_t last)>& body);

/// The same over [0, n).
void for_each_chunk(int64_t n, const std::function<void(int64_t first, int64_t last)>& body);

/// Runs body(chunk's first, last, its partial sums, 0 at first) and adds the partial sums in chunk order.
/// Those of so many chunks at a time are held that they take 8 MiB, or 16 chunks', whatever n is.
template <class Body>
void reduce_chunks(int64_t n, std::span<double> sums, Body body) {
  constexpr int64_t kHeld = int64_t{1} << 20, kAtOnce = 16;
  const auto k = static_cast<int64_t>(sums.size());
  const int64_t stretch = kChunk * std::max(kAtOnce, kHeld / std::max<int64_t>(k, 1));
  std::fill(sums.begin(), sums.end(), 0.0);
  std::vector<double> partial;
  for (int64_t from = 0; from < n; from += stretch) {
    const int64_t to = std::min(n, from + stretch), chunks = (to - from + kChunk - 1) / kChunk;
    partial.assign(static_cast<size_t>(chunks * k), 0.0);
    for_each_chunk(from, to, [&](int64_t first, int64_t last) {
      body(first, last, partial.data() + (first - from) / kChunk * k);
    });
    for (int64_t c = 0; c < chunks; ++c) {
      for (int64_t i = 0; i < k; ++i) sums[static_cast<size_t>(i)] += partial[static_cast<size_t>(c * k + i)];
    }
  }
}

}  // namespace ritzflow
