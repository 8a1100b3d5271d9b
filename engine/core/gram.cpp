#include "core/gram.h"

#include <algorithm>
#include <vector>

#include "core/chunk_kernels.h"
#include "core/chunks.h"

namespace ritzflow {
namespace {

constexpr int64_t kPieceElements = int64_t{1} << 17;  // of all rows: half of a second-level cache or less

// Rows of which the elements from `begin` on are those that were asked for.
template <class T>
struct Piece {
  BasicRows<T> rows;
  int64_t begin;
};

template <class T>
int64_t piece_of(const BasicRows<T>& rows) {
  const auto k = std::max(static_cast<int64_t>(rows.size()), int64_t{1});
  return std::clamp(kPieceElements / k / kLine * kLine, kLine, kChunk);
}
template <class T>
int64_t piece_of(const RowSource<T>& rows) {
  return rows.piece();
}

template <class T>
Piece<T> load(const BasicRows<T>& rows, int64_t first, int64_t) {
  return {rows, first};
}
template <class T>
Piece<T> load(const RowSource<T>& rows, int64_t first, int64_t last) {
  return {rows.load(first, last), 0};
}

template <class AnyRows>
std::vector<double> gram_of_any(const AnyRows& rows, int64_t n) {
  const size_t k = rows.size();
  std::vector<double> g(k * k);
  const int64_t length = piece_of(rows);
  reduce_chunks(n, g, [&](int64_t first, int64_t last, double* partial) {
    std::vector<double> lanes(4 * k * k), row(static_cast<size_t>(std::min(length, last - first)));
    for (int64_t t = first; t < last; t += length) {
      const int64_t end = std::min(last, t + length);
      const auto [piece, begin] = load(rows, t, end);
      for (size_t j = 0; j < k; ++j) {
        gather(piece[j] + begin / kLine * piece.stride(), piece.stride(), std::span(row).first(end - t));
        const detail::ChunkKernel kernel(piece.subspan(0, j + 1), begin, begin + (end - t));
        kernel.dots(row.data(), &lanes[4 * k * j]);
        if (end == last) kernel.finish_dots(row.data(), &lanes[4 * k * j], partial + k * j);
      }
    }
  });
  return g;
}

}  // namespace

template <class T>
std::vector<double> gram(BasicRows<T> rows, int64_t n) {
  return gram_of_any(rows, n);
}
template <class T>
std::vector<double> gram(const RowSource<T>& rows, int64_t n) {
  return gram_of_any(rows, n);
}

template std::vector<double> gram(BasicRows<double>, int64_t);
template std::vector<double> gram(BasicRows<float>, int64_t);
template std::vector<double> gram(const RowSource<double>&, int64_t);
template std::vector<double> gram(const RowSource<float>&, int64_t);

}  // namespace ritzflow
