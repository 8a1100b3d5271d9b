#include "core/kernels.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <cmath>
#include <vector>

#include "core/philox.h"

namespace ritzflow {
namespace {

struct Data {
  std::vector<std::vector<double>> rows;
  std::vector<const double*> pointers;
  std::vector<double> w, c;
  Rows all() const { return Rows(pointers); }
};

Data make_data(int64_t n, size_t k) {
  Data data;
  for (size_t i = 0; i < k; ++i) {
    data.rows.emplace_back(static_cast<size_t>(n));
    Philox(i, "test", "row").fill_normal(data.rows.back());
    data.c.push_back(Philox(i, "test", "coefficient").normal(0));
  }
  for (const auto& row : data.rows) data.pointers.push_back(row.data());
  data.w.resize(static_cast<size_t>(n));
  Philox(99, "test", "w").fill_normal(data.w);
  return data;
}

long double naive_dot(const std::vector<double>& x, const std::vector<double>& y) {
  long double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += static_cast<long double>(x[i]) * y[i];
  return sum;
}

std::vector<double> naive_subtract(const Data& data) {
  std::vector<double> out;
  for (size_t t = 0; t < data.w.size(); ++t) {
    long double v = data.w[t];
    for (size_t i = 0; i < data.rows.size(); ++i) v -= static_cast<long double>(data.c[i]) * data.rows[i][t];
    out.push_back(static_cast<double>(v));
  }
  return out;
}

// Lengths below, at and above a tile and a chunk; row counts on both sides of the rows that go at once.
struct Shape {
  int64_t n;
  size_t k;
};
std::vector<Shape> shapes() {
  std::vector<Shape> all = {{65536, 9}, {65537, 5}, {200003, 7}};
  for (int64_t n : {1, 3, 7, 1023, 1024, 1030, 5000}) {
    for (size_t k : {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 33}) all.push_back({n, k});
  }
  return all;
}

TEST(Kernels, DotsEqualLongDoubleSums) {
  for (const auto& [n, k] : shapes()) {
    const Data data = make_data(n, k);
    std::vector<double> h(k, 7.0);
    dots(data.all(), data.w, h);
    for (size_t i = 0; i < k; ++i) {
      EXPECT_NEAR(h[i], static_cast<double>(naive_dot(data.rows[i], data.w)),
                  1e-15 * (16 + static_cast<double>(n)));
    }
  }
}

TEST(Kernels, SubtractAndCombineEqualLongDoubleSums) {
  for (const auto& [n, k] : shapes()) {
    Data data = make_data(n, k);
    const std::vector<double> expected = naive_subtract(data);
    std::vector<double> w = data.w, sum(data.w.size());
    subtract(data.all(), data.c, w);
    combine(data.all(), data.c, sum);
    for (size_t t = 0; t < w.size(); ++t) {
      ASSERT_NEAR(w[t], expected[t], 1e-14 * static_cast<double>(k + 1));
      ASSERT_NEAR(sum[t], data.w[t] - expected[t], 1e-14 * static_cast<double>(k + 1));
    }
  }
}

TEST(Kernels, FusedPassHasTheBitsOfSubtractDotsAndNorm) {
  for (const auto& [n, k] : shapes()) {
    const Data data = make_data(n, k);
    std::vector<double> apart = data.w, fused = data.w, g(k), h(k);
    subtract(data.all(), data.c, apart);
    dots(data.all(), apart, g);
    const double length = subtract_then_dots(data.all(), data.c, fused, h);
    EXPECT_EQ(apart, fused);
    EXPECT_EQ(g, h);
    EXPECT_EQ(length, norm(apart));
  }
}

// The rows of `data` in T with `width` of them interleaved.
template <class T>
struct Interleaved {
  Interleaved(const Data& data, int64_t width) : stride(width * kLine) {
    const auto n = static_cast<int64_t>(data.w.size());
    const auto panel = static_cast<size_t>((n + kLine - 1) / kLine * stride);
    const size_t panels = (data.rows.size() + static_cast<size_t>(width) - 1) / static_cast<size_t>(width);
    memory.assign(panels * panel, T(NAN));
    for (size_t i = 0; i < data.rows.size(); ++i) {
      T* row =
          memory.data() + i / static_cast<size_t>(width) * panel + static_cast<int64_t>(i) % width * kLine;
      scatter(data.rows[i], row, stride);
      pointers.push_back(row);
    }
  }
  BasicRows<T> all() const {
    return BasicRows<T>(std::span<const T* const>(pointers.data(), pointers.size()), stride);
  }
  int64_t stride;
  std::vector<T> memory;
  std::vector<T*> pointers;
};

template <class T>
std::vector<double> results_of(BasicRows<T> rows, const Data& data) {
  std::vector<double> w = data.w, g(rows.size()), h(rows.size()), sum(w.size());
  dots(rows, data.w, h);
  const double length = subtract_then_dots(rows, data.c, w, g);
  combine(rows, data.c, sum);
  for (const auto& part : {g, h, sum}) w.insert(w.end(), part.begin(), part.end());
  w.push_back(length);
  return w;
}

TEST(Kernels, BitsDoNotDependOnTheLayoutOfRows) {
  for (const auto& [n, k] : shapes()) {
    const Data data = make_data(n, k);
    const std::vector<double> contiguous = results_of(data.all(), data);
    for (int64_t width : {2, 3, 8, 16})
      EXPECT_EQ(contiguous, results_of(Interleaved<double>(data, width).all(), data)) << n << " " << k;
  }
}

TEST(Kernels, Float32RowsGiveTheBitsOfTheirValuesInFloat64) {
  for (const auto& [n, k] : shapes()) {
    Data data = make_data(n, k);
    for (auto& row : data.rows) {
      for (double& x : row) x = static_cast<float>(x);
    }
    EXPECT_EQ(results_of(data.all(), data), results_of(Interleaved<float>(data, 8).all(), data));
  }
}

TEST(Kernels, RecombineEqualsCombinationsOfCopies) {
  for (const auto& [n, k] : shapes()) {
    const Data data = make_data(n, k);
    const size_t kept = (k + 1) / 2;
    std::vector<double> s(kept * k);
    Philox(7, "test", "combinations").fill_normal(s);
    const Interleaved<double> rows(data, 3);
    recombine<double>(rows.pointers, rows.stride, s, n);
    for (size_t c = 0; c < kept; ++c) {
      std::vector<double> expected(data.w.size()), found(data.w.size());
      combine(data.all(), std::span(s).subspan(c * k, k), expected);
      gather<double>(rows.pointers[c], rows.stride, found);
      EXPECT_EQ(expected, found) << n << " " << k;
    }
  }
}

std::vector<double> everything(const Data& data) {
  std::vector<double> w = data.w, g(data.rows.size()), h(data.rows.size());
  dots(data.all(), w, h);
  subtract_then_dots(data.all(), data.c, w, g);
  std::vector<double> result = w;
  result.insert(result.end(), g.begin(), g.end());
  result.insert(result.end(), h.begin(), h.end());
  scale(0.3, w);
  result.insert(result.end(), w.begin(), w.end());
  result.push_back(norm(w));
  return result;
}

TEST(Kernels, BitsDoNotDependOnTheNumberOfThreads) {
  const Data data = make_data(500009, 11);
  std::vector<std::vector<double>> results;
  for (size_t threads : {1, 2, 5}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    results.push_back(everything(data));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Kernels, NormNeitherOverflowsNorUnderflows) {
  EXPECT_DOUBLE_EQ(norm(std::vector<double>{3e200, 4e200}), 5e200);
  EXPECT_DOUBLE_EQ(norm(std::vector<double>{3e-200, 4e-200}), 5e-200);
  EXPECT_EQ(norm(std::vector<double>{0, 0, 0}), 0);
  EXPECT_TRUE(std::isnan(norm(std::vector<double>{1, std::nan("")})));
  EXPECT_TRUE(std::isinf(norm(std::vector<double>{1, -INFINITY})));
}

TEST(Kernels, NoRowsLeaveTheVectorAlone) {
  std::vector<double> w = {1, 2, 3};
  subtract(Rows(), {}, w);
  dots(Rows(), w, {});
  subtract_then_dots(Rows(), {}, w, {});
  EXPECT_EQ(w, (std::vector<double>{1, 2, 3}));
}

TEST(Kernels, AllFiniteFindsOneNanOrInfinityAnywhere) {
  std::vector<double> x(200003, 1.0);
  EXPECT_TRUE(all_finite(x));
  for (size_t at : {size_t{0}, size_t{65536}, x.size() - 1}) {
    for (double bad : {std::nan(""), double(INFINITY), -double(INFINITY)}) {
      std::vector<double> y = x;
      y[at] = bad;
      EXPECT_FALSE(all_finite(y));
    }
  }
  EXPECT_TRUE(all_finite(std::vector<double>{}));
}

}  // namespace
}  // namespace ritzflow
