// Cost of one orthogonalisation step in mode `full` against two plain reads of the basis.
#include <benchmark/benchmark.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "core/kernels.h"
#include "core/philox.h"
#include "krylov/basis.h"
#include "krylov/reorthogonalization.h"

namespace ritzflow {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One read of every row at memory bandwidth: sums, with nothing else to do (the read of STREAM).
double read_rows(const Basis& basis) {
  std::vector<double> sums(static_cast<size_t>((basis.dim() + kChunk - 1) / kChunk));
  for_each_chunk(basis.dim(), [&](int64_t first, int64_t last) {
    double total[32] = {};
    for (int64_t i = 0; i < basis.size(); ++i) {
      const double* row = basis.row(i).data();
      for (int64_t t = first; t + 32 <= last; t += 32) {
        for (int lane = 0; lane < 32; ++lane) total[lane] += row[t + lane];
      }
    }
    for (double lane : total) sums[static_cast<size_t>(first / kChunk)] += lane;
  });
  double all = 0;
  for (double sum : sums) all += sum;
  return all;
}

// Walsh functions, q_i[t] = (-1)^(bits common to i and t) / sqrt(n): orthonormal where n is a multiple of a
// power of two above i.
std::unique_ptr<Basis> walsh_basis(int64_t n, int64_t rows) {
  auto basis = make_ram_basis(n);
  std::vector<double> row(static_cast<size_t>(n));
  const double value = 1 / std::sqrt(static_cast<double>(n));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t t = 0; t < n; ++t)
      row[static_cast<size_t>(t)] = std::popcount(static_cast<uint64_t>(i & t)) % 2 ? -value : value;
    basis->append(row);
  }
  return basis;
}

// The counter `two_reads` is the time of a step over the time of two reads of the same rows in this run; the
// step reads Q twice: once for the coefficients, once to subtract them and to measure what is left.
void full_step(benchmark::State& state) {
  const int64_t n = state.range(0), rows = state.range(1);
  const auto basis = walsh_basis(n, rows);
  std::vector<double> w(static_cast<size_t>(n)), fresh(w.size()), column(static_cast<size_t>(rows));
  Philox(1, "bench", "w").fill_normal(fresh);
  double step = 1e300, read = 1e300;
  for (auto _ : state) {
    w = fresh;
    std::fill(column.begin(), column.end(), 0.0);
    auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(orthogonalize(Full{}, *basis, {}, w, column));
    const double seconds = seconds_since(start);
    state.SetIterationTime(seconds);
    step = std::min(step, seconds);
    start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(read_rows(*basis));
    read = std::min(read, seconds_since(start));
  }
  state.counters["two_reads"] = step / (2 * read);
  state.counters["read_GB/s"] = static_cast<double>(basis->bytes()) / read * 1e-9;
}
BENCHMARK(full_step)
    ->ArgNames({"n", "j"})
    ->Args({1 << 20, 16})
    ->Args({1 << 20, 64})
    ->Args({1 << 20, 128})
    ->Args({1 << 23, 32})
    ->Iterations(20)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ritzflow

BENCHMARK_MAIN();
