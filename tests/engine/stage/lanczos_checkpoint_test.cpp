#include "stage/lanczos_checkpoint.h"

#include <fstream>

#include "core/error.h"
#include "core/philox.h"
#include "stage_testing.h"

namespace ritzflow {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int64_t kDimension = 40;

/// diag(1, 1/2, 1/3, ...).
class Harmonic : public LinearOperator {
 public:
  int64_t dim() const override { return kDimension; }
  void apply(VectorView v, VectorSpan out) override {
    for (size_t i = 0; i < v.size(); ++i) out[i] = v[i] / static_cast<double>(i + 1);
  }
};

class Checkpoint : public StageTest, public testing::WithParamInterface<Reorthogonalization> {
 protected:
  LanczosProcess fresh() {
    std::vector<double> start(kDimension);
    Philox(0, "test", "start").fill_normal(start);
    return LanczosProcess(op_, start, GetParam(), 0);
  }
  SegmentFolder open() { return {folder_ / "root", "lanczos", {{"seed", 0}}, 0s}; }
  LanczosCheckpoint in(SegmentFolder& folder) { return {folder, GetParam(), false}; }
  std::optional<LanczosCheckpoint::State> load() {
    SegmentFolder folder = open();
    return in(folder).load(kDimension);
  }
  fs::path segment(int64_t steps) {
    return open().folder() / ("checkpoint-0000000" + std::to_string(steps) + ".h5");
  }
  /// Segments behind 2, 5 and 8 products.
  void write_segments() {
    SegmentFolder folder = open();
    LanczosCheckpoint checkpoint = in(folder);
    auto process = fresh();
    for (int step = 1; step <= 8; ++step) {
      process.step();
      if (step % 3 == 2) checkpoint.save(process);
    }
  }
  /// The factorization of 12 products, from the checkpoint's state where it has one.
  KrylovFactorization twelve_products(std::optional<LanczosCheckpoint::State> state) {
    auto process =
        state ? LanczosProcess(op_, GetParam(), 0, state->factorization, std::move(state->basis)) : fresh();
    while (process.factorization().products < 12) process.step();
    return process.factorization();
  }
  void expect_uninterrupted(std::optional<LanczosCheckpoint::State> state) {
    const auto whole = twelve_products(std::nullopt), resumed = twelve_products(std::move(state));
    EXPECT_EQ(resumed.columns, whole.columns);
    EXPECT_EQ(resumed.beta, whole.beta);
    EXPECT_EQ(resumed.spike, whole.spike);
    EXPECT_EQ(resumed.residual_vector, whole.residual_vector);
    EXPECT_EQ(resumed.norm_estimate(), whole.norm_estimate());
  }
  bool restarts() const { return std::holds_alternative<ThickRestart>(GetParam()); }
  bool each_holds_all() const { return rows_needed(GetParam()) > 0 && !restarts(); }

  Harmonic op_;
};

TEST_P(Checkpoint, RunThatGoesOnFromASegmentHasTheBitsOfAnUninterruptedOne) {
  write_segments();
  auto state = load();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 8);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, DamagedNewestSegmentFallsBackToTheOneBefore) {
  write_segments();
  fs::resize_file(segment(8), fs::file_size(segment(8)) - 1);
  auto state = load();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 5);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, SegmentsWithoutTheRowsBeforeThemAreNotUsedByRunsThatNeedAllRows) {
  write_segments();
  fs::remove(segment(2));
  auto state = load();
  EXPECT_EQ(state.has_value(), each_holds_all() || restarts());
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, SegmentsWrittenBehindADamagedOneAreUsed) {
  write_segments();
  fs::resize_file(segment(5), 100);
  {
    SegmentFolder folder = open();
    LanczosCheckpoint checkpoint = in(folder);
    auto state = checkpoint.load(kDimension);
    LanczosProcess process(op_, GetParam(), 0, state->factorization, std::move(state->basis));
    while (process.factorization().products < 9) process.step();
    checkpoint.save(process);
  }
  auto state = load();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 9);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, FewSegmentsStayWhereEachHoldsAllRows) {
  SegmentFolder folder = open();
  LanczosCheckpoint checkpoint = in(folder);
  auto process = fresh();
  for (int step = 1; step <= 20; ++step) {
    process.step();
    checkpoint.save(process);
  }
  const auto entries = fs::directory_iterator(folder.folder());
  const auto segments = std::count_if(begin(entries), end(entries),
                                      [](const auto& file) { return file.path().extension() == ".h5"; });
  EXPECT_EQ(segments, each_holds_all() ? 2 : restarts() ? 4 : 20);
}

// Restarts behind 6, 9, 12, ... products: the segments of 5 and 8 lie on both sides of the first.
INSTANTIATE_TEST_SUITE_P(Modes, Checkpoint,
                         testing::Values(Full{}, Window{3, 2}, Off{}, Partial{},
                                         ThickRestart{.krylov_dim = 6, .k = 2}),
                         [](const auto& mode) { return mode_name(mode.param); });

}  // namespace
}  // namespace ritzflow
