// Mode `full` with its basis on disk against the same run in host memory: wall time of both, products
// included, which alternate within one run. The product takes `reads` times as long as reading the whole
// basis from the disk once (out of the page cache, where the machine has room for it) and keeps the same
// threads busy.
#include <benchmark/benchmark.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

#include "core/kernels.h"
#include "core/philox.h"
#include "krylov/basis/disk_basis.h"
#include "krylov/process/factorization.h"

namespace ritzflow {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// diag(1, 1/2, 1/3, ...), again and again until the product has taken its time.
class Slow final : public krylov::LinearOperator {
 public:
  explicit Slow(int64_t n) : n_(n) {}
  int64_t dim() const override { return n_; }
  void apply(VectorView v, VectorSpan out) override {
    const auto start = Clock::now();
    do {
      for_each_chunk(n_, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) out[t] = v[t] / static_cast<double>(t + 1);
      });
    } while (seconds_since(start) < seconds);
  }
  double seconds = 0;

 private:
  int64_t n_;
};

std::unique_ptr<krylov::Basis> on_disk(int64_t n) {
  return krylov::make_disk_basis(n, BasisType::float64, [] {
    return krylov::RowFile::create_unnamed(std::filesystem::current_path() / "out_of_core.rows");
  });
}

double run(Slow& op, VectorView start, int64_t steps, std::unique_ptr<krylov::Basis> basis) {
  const auto begin = Clock::now();
  krylov::LanczosProcess process(op, start, krylov::Full{}, 0, std::move(basis));
  for (int64_t j = 0; j < steps; ++j) process.step();
  return seconds_since(begin);
}

// One read of all rows from the disk.
double read_seconds(int64_t n, int64_t rows, VectorView q) {
  const auto basis = on_disk(n);
  for (int64_t i = 0; i < rows; ++i) basis->append(q);
  std::vector<double> h(static_cast<size_t>(rows));
  basis->dots(0, q, h);
  const auto begin = Clock::now();
  basis->dots(0, q, h);
  return seconds_since(begin);
}

void out_of_core(benchmark::State& state) {
  const int64_t n = state.range(0), rows = state.range(1);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<size_t>(state.range(3)));
  std::vector<double> start(static_cast<size_t>(n));
  Philox(1, "bench", "start").fill_normal(start);
  Slow op(n);
  const double read = read_seconds(n, rows, start);
  op.seconds = static_cast<double>(state.range(2)) * read;
  std::vector<double> ram, disk, ratios;
  for (auto _ : state) {
    ram.push_back(run(op, start, rows, krylov::make_ram_basis(n, {.expected = rows})));
    disk.push_back(run(op, start, rows, on_disk(n)));
    state.SetIterationTime(disk.back());
    ratios.push_back(disk.back() / ram.back());
  }
  state.counters["disk_over_ram"] = median(ratios);
  state.counters["disk_over_ram_least"] =
      *std::min_element(disk.begin(), disk.end()) / *std::min_element(ram.begin(), ram.end());
  state.counters["read_GB/s"] = static_cast<double>(n * rows) * 8e-9 / read;
}
BENCHMARK(out_of_core)
    ->ArgNames({"n", "j", "reads", "threads"})
    ->ArgsProduct({{1 << 21}, {32}, {1, 4, 16}, {1, 2}})
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ritzflow

BENCHMARK_MAIN();
