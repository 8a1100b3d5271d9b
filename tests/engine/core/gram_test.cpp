#include "core/gram.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <vector>

#include "core/philox.h"

namespace ritzflow {
namespace {

template <class T>
struct Stored {
  Stored(int64_t n, size_t k, int64_t stride) {
    const auto length = static_cast<size_t>((n + kLine - 1) / kLine * stride * static_cast<int64_t>(k));
    memory.resize(length);
    for (size_t i = 0; i < k; ++i) {
      std::vector<double> row(static_cast<size_t>(n));
      Philox(i, "test", "row").fill_normal(row);
      // Interleaved rows lie line beside line; others one after the other.
      const size_t step = stride == kLine ? length / k : size_t{kLine};
      scatter(row, &memory[i * step], stride);
      pointers.push_back(&memory[i * step]);
    }
    rows = BasicRows<T>(std::span<const T* const>(pointers), stride);
  }
  std::vector<T> memory;
  std::vector<const T*> pointers;
  BasicRows<T> rows;
};

// Row by row, with the kernel of a single vector.
template <class T>
std::vector<double> by_rows(const BasicRows<T>& rows, int64_t n) {
  const size_t k = rows.size();
  std::vector<double> g(k * k), row(static_cast<size_t>(n));
  for (size_t j = 0; j < k; ++j) {
    gather(rows[j], rows.stride(), row);
    dots(rows.subspan(0, j + 1), row, std::span(g).subspan(j * k, j + 1));
  }
  return g;
}

template <class T>
void expect_bits_of_dots() {
  for (int64_t n : {1, 9, 1000, 65536, 131077}) {
    for (size_t k : {1, 3, 8, 21}) {
      for (int64_t stride : {kLine, kLine * static_cast<int64_t>(k)}) {
        const Stored<T> stored(n, k, stride);
        EXPECT_EQ(gram(stored.rows, n), by_rows(stored.rows, n)) << n << " " << k << " " << stride;
      }
    }
  }
}

TEST(Gram, HasTheBitsOfDotsInEveryLayoutAndType) {
  expect_bits_of_dots<double>();
  expect_bits_of_dots<float>();
}

TEST(Gram, BitsDoNotDependOnTheNumberOfThreads) {
  const Stored<double> stored(5 * kChunk + 5, 9, 9 * kLine);
  const std::vector<double> many = gram(stored.rows, 5 * kChunk + 5);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, 1);
  EXPECT_EQ(gram(stored.rows, 5 * kChunk + 5), many);
}

TEST(Gram, OfNoRowsIsEmpty) { EXPECT_TRUE(gram(Rows(), 100).empty()); }

}  // namespace
}  // namespace ritzflow
