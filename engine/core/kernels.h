#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/chunks.h"
#include "core/lines.h"
#include "core/vector.h"

namespace ritzflow {

/// k vectors of the same length, rows of a basis: element t of row i is at
/// first[i][t / kLine * stride + t % kLine]. A stride of kLine is a contiguous row; rows whose lines are
/// interleaved share a larger one. The layout does not change a bit of any result.
template <class T>
class BasicRows {
 public:
  BasicRows() = default;
  explicit BasicRows(std::span<const T* const> first, int64_t stride = kLine)
      : first_(first), stride_(stride) {}
  explicit BasicRows(const std::vector<const T*>& first) : first_(first) {}
  BasicRows(const T* const* first, size_t count) : first_(first, count) {}

  size_t size() const { return first_.size(); }
  int64_t stride() const { return stride_; }
  const T* operator[](size_t i) const { return first_[i]; }
  BasicRows subspan(size_t first, size_t count) const {
    return BasicRows(first_.subspan(first, count), stride_);
  }

 private:
  std::span<const T* const> first_;
  int64_t stride_ = kLine;
};
using Rows = BasicRows<double>;

/// k rows that are not in memory as a whole: they are brought there piece by piece, [first, last) of all of
/// them at once, within a chunk.
template <class T>
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual size_t size() const = 0;    ///< k
  virtual int64_t piece() const = 0;  ///< elements at once: kChunk, or a smaller multiple of kLine

  /// The rows' elements [first, last), from the beginning of the rows returned; valid until the same thread
  /// asks for others. Called by many threads.
  virtual BasicRows<T> load(int64_t first, int64_t last) const = 0;
};

/// x'y.
double dot(VectorView x, VectorView y);

/// ||x||_2, scaled so that neither overflow nor underflow of squares spoils it.
double norm(VectorView x);

/// x <- a x.
void scale(double a, VectorSpan x);

/// h_i = rows_i' w: one read of the rows. Rows are float64 or float32, sums float64. Here and below: rows
/// that come from a RowSource give the same bits.
template <class T>
void dots(BasicRows<T> rows, VectorView w, std::span<double> h);
template <class T>
void dots(const RowSource<T>& rows, VectorView w, std::span<double> h);

/// w <- w - sum_i c_i rows_i: one read of the rows.
template <class T>
void subtract(BasicRows<T> rows, std::span<const double> c, VectorSpan w);
template <class T>
void subtract(const RowSource<T>& rows, std::span<const double> c, VectorSpan w);

/// w <- w - sum_i c_i rows_i and g_i = rows_i' w of the new w in a single read of the rows, line by line:
/// the lines of all rows are in first-level cache between the two. Returns ||w||.
template <class T>
double subtract_then_dots(BasicRows<T> rows, std::span<const double> c, VectorSpan w, std::span<double> g);
template <class T>
double subtract_then_dots(const RowSource<T>& rows, std::span<const double> c, VectorSpan w,
                          std::span<double> g);

/// out <- sum_i c_i rows_i.
template <class T>
void combine(BasicRows<T> rows, std::span<const double> c, VectorSpan out);
template <class T>
void combine(const RowSource<T>& rows, std::span<const double> c, VectorSpan out);

/// rows_c <- sum_i s[c k + i] rows_i for the first s.size() / k of the k rows, in place. Each row has length
/// n and the stride given.
template <class T>
void recombine(std::span<T* const> rows, int64_t stride, std::span<const double> s, int64_t n);

/// Copies x into a row, and a row into x.
template <class T>
void scatter(VectorView x, T* row, int64_t stride);
template <class T>
void gather(const T* row, int64_t stride, VectorSpan x);

/// Whether every element is finite.
bool all_finite(VectorView x);

}  // namespace ritzflow
