#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "core/vector.h"

namespace ritzflow {

/// Pointers to k vectors of the same length: rows of a basis.
using Rows = std::span<const double* const>;

/// Elements of a vector that one task reduces alone. A constant: partial sums are formed per chunk and added
/// in chunk order, so that every result has the same bits for 1, 2, ... threads.
inline constexpr int64_t kChunk = 65536;

/// Runs body(first, last) over the fixed chunks of [0, n) in parallel.
void for_each_chunk(int64_t n, const std::function<void(int64_t first, int64_t last)>& body);

/// x'y.
double dot(VectorView x, VectorView y);

/// ||x||_2, scaled so that neither overflow nor underflow of squares spoils it.
double norm(VectorView x);

/// x <- a x.
void scale(double a, VectorSpan x);

/// h_i = rows_i' w: one read of the rows.
void dots(Rows rows, VectorView w, std::span<double> h);

/// w <- w - sum_i c_i rows_i: one read of the rows.
void subtract(Rows rows, std::span<const double> c, VectorSpan w);

/// w <- w - sum_i c_i rows_i and g_i = rows_i' w of the new w in a single read of the rows: tile by tile,
/// while a tile of the rows is in cache.
void subtract_then_dots(Rows rows, std::span<const double> c, VectorSpan w, std::span<double> g);

/// out <- sum_i c_i rows_i.
void combine(Rows rows, std::span<const double> c, VectorSpan out);

/// rows_c <- sum_i s[c k + i] rows_i for the first s.size() / k of the k rows, in place. Each row has length
/// n.
void recombine(std::span<double* const> rows, std::span<const double> s, int64_t n);

/// Whether every element is finite.
bool all_finite(VectorView x);

}  // namespace ritzflow
