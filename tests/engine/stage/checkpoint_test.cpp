#include "stage/checkpoint.h"

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
  LanczosCheckpoint open(int seed = 0) {
    return {folder_ / "root", {{"seed", seed}}, rows_needed(GetParam()), 0s};
  }
  fs::path segment(int64_t steps) {
    const auto checkpoint = open();
    return checkpoint.folder() / ("segment-0000000" + std::to_string(steps) + ".h5");
  }
  /// Segments behind 2, 5 and 8 steps.
  void write_segments() {
    auto checkpoint = open();
    auto process = fresh();
    for (int step = 1; step <= 8; ++step) {
      process.step();
      if (step % 3 == 2) checkpoint.save(process);
    }
  }
  /// The factorization of 12 steps, from the checkpoint's state where it has one.
  KrylovFactorization twelve_steps(std::optional<LanczosCheckpoint::State> state) {
    auto process =
        state ? LanczosProcess(op_, GetParam(), 0, state->factorization, std::move(state->basis)) : fresh();
    while (process.factorization().products < 12) process.step();
    return process.factorization();
  }
  void expect_uninterrupted(std::optional<LanczosCheckpoint::State> state) {
    const auto whole = twelve_steps(std::nullopt), resumed = twelve_steps(std::move(state));
    EXPECT_EQ(resumed.columns, whole.columns);
    EXPECT_EQ(resumed.spike, whole.spike);
    EXPECT_EQ(resumed.beta, whole.beta);
    EXPECT_EQ(resumed.residual_vector, whole.residual_vector);
    EXPECT_EQ(resumed.norm_estimate(), whole.norm_estimate());
  }

  Harmonic op_;
};

TEST_P(Checkpoint, RunThatGoesOnFromASegmentHasTheBitsOfAnUninterruptedOne) {
  write_segments();
  auto state = open().load(kDimension);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 8);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, DamagedNewestSegmentFallsBackToTheOneBefore) {
  write_segments();
  fs::resize_file(segment(8), fs::file_size(segment(8)) - 1);
  auto state = open().load(kDimension);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 5);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, SegmentsWithoutTheRowsBeforeThemAreNotUsedByRunsThatNeedAllRows) {
  write_segments();
  fs::remove(segment(2));
  auto state = open().load(kDimension);
  EXPECT_EQ(state.has_value(), rows_needed(GetParam()) > 0);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, SegmentsWrittenBehindADamagedOneAreUsed) {
  write_segments();
  fs::resize_file(segment(5), 100);
  {
    auto checkpoint = open();
    auto state = checkpoint.load(kDimension);
    LanczosProcess process(op_, GetParam(), 0, state->factorization, std::move(state->basis));
    while (process.factorization().products < 9) process.step();
    checkpoint.save(process);
  }
  auto state = open().load(kDimension);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 9);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, OtherSettingsHaveAnotherFolder) {
  write_segments();
  EXPECT_FALSE(open(1).load(kDimension));
  EXPECT_NE(open(1).folder(), open(0).folder());
}

TEST_P(Checkpoint, RemoveTakesAllThatRunsLeftAndNothingElse) {
  write_segments();
  std::ofstream(segment(8).string() + ".part.4194304") << "half a segment";
  open().remove();
  EXPECT_FALSE(fs::exists(folder_ / "root"));
  write_segments();
  std::ofstream(folder_ / "root" / "notes.txt") << "mine";
  open().remove();
  EXPECT_TRUE(fs::exists(folder_ / "root" / "notes.txt"));
}

INSTANTIATE_TEST_SUITE_P(Modes, Checkpoint,
                         testing::Values(Full{}, Window{3, 2}, Off{}, Partial{},
                                         ThickRestart{.krylov_dim = 5, .k = 2}),
                         [](const auto& mode) { return mode_name(mode.param); });

}  // namespace
}  // namespace ritzflow
