// Cost of one orthogonalisation step in mode `full` against two plain reads of as many bytes at memory
// bandwidth, by the same threads: baseline and step alternate, and the ratio printed is the median over
// rounds.
#include <benchmark/benchmark.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "core/huge_buffer.h"
#include "core/kernels.h"
#include "core/philox.h"
#include "krylov/basis/basis.h"
#include "krylov/process/reorthogonalization.h"

namespace ritzflow {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The read of STREAM: one long run of memory a task, summed, with nothing else to do.
class PlainRead {
 public:
  explicit PlainRead(int64_t count) : count_(count), buffer_(static_cast<size_t>(count) * sizeof(double), 0) {
    std::fill_n(buffer_.as<double>(), count, 1e-3);
  }

  double operator()() const {
    constexpr int64_t kTask = int64_t{1} << 19;
    std::vector<double> sums(static_cast<size_t>((count_ + kTask - 1) / kTask));
    tbb::parallel_for(size_t{0}, sums.size(), [&](size_t task) {
      const double* p = buffer_.as<double>() + static_cast<int64_t>(task) * kTask;
      const int64_t count = std::min(kTask, count_ - static_cast<int64_t>(task) * kTask);
      detail::Lanes total[8] = {};
      for (int64_t t = 0; t + 32 <= count; t += 32) {
        for (int lane = 0; lane < 8; ++lane) total[lane] += detail::load(p + t + 4 * lane);
      }
      for (const detail::Lanes& lane : total) sums[task] += detail::total(lane);
    });
    double all = 0;
    for (double sum : sums) all += sum;
    return all;
  }

 private:
  int64_t count_;
  HugeBuffer buffer_;
};

// Walsh functions, q_i[t] = (-1)^(bits common to i and t) / sqrt(n): orthonormal where n is a multiple of a
// power of two above i.
std::unique_ptr<krylov::Basis> walsh_basis(int64_t n, int64_t rows) {
  auto basis = krylov::make_ram_basis(n, {.expected = rows});
  std::vector<double> row(static_cast<size_t>(n));
  const double value = 1 / std::sqrt(static_cast<double>(n));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t t = 0; t < n; ++t)
      row[static_cast<size_t>(t)] = std::popcount(static_cast<uint64_t>(i & t)) % 2 ? -value : value;
    basis->append(row);
  }
  return basis;
}

// The counter `two_reads` is the time of a step over the time of two reads; the step itself reads Q twice:
// once for the coefficients, once to subtract them and to measure what is left.
void full_step(benchmark::State& state) {
  const int64_t n = state.range(0), rows = state.range(1);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<size_t>(state.range(2)));
  const auto basis = walsh_basis(n, rows);
  const PlainRead read(n * rows);
  std::vector<double> w(static_cast<size_t>(n)), fresh(w.size()), column(static_cast<size_t>(rows));
  Philox(1, "bench", "w").fill_normal(fresh);
  std::vector<double> steps, reads, ratios;
  for (auto _ : state) {
    auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(read());
    reads.push_back(seconds_since(start));
    w = fresh;
    std::fill(column.begin(), column.end(), 0.0);
    start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(krylov::orthogonalize(krylov::Full{}, *basis, {}, w, column));
    steps.push_back(seconds_since(start));
    state.SetIterationTime(steps.back());
    ratios.push_back(steps.back() / (2 * reads.back()));
  }
  state.counters["two_reads"] = median(ratios);
  state.counters["two_reads_least"] =
      *std::min_element(steps.begin(), steps.end()) / (2 * *std::min_element(reads.begin(), reads.end()));
  state.counters["read_GB/s"] = static_cast<double>(basis->bytes()) / median(reads) * 1e-9;
}
BENCHMARK(full_step)
    ->ArgNames({"n", "j", "threads"})
    ->ArgsProduct({{1 << 20}, {16, 64, 128}, {1, 2}})
    ->ArgsProduct({{1 << 23}, {32}, {1, 2}})
    ->Iterations(20)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ritzflow

BENCHMARK_MAIN();
