#include "spectrum/lanczos_checkpoint.h"

#include <fstream>

#include "core/error.h"
#include "core/philox.h"
#include "spectrum/lanczos_options.h"
#include "stage_testing.h"

namespace ritzflow::spectrum {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int64_t kDimension = 40;

/// diag(1, 1/2, 1/3, ...).
class Harmonic : public krylov::LinearOperator {
 public:
  int64_t dim() const override { return kDimension; }
  void apply(VectorView v, VectorSpan out) override {
    for (size_t i = 0; i < v.size(); ++i) out[i] = v[i] / static_cast<double>(i + 1);
  }
};

struct Case {
  krylov::Reorthogonalization mode;
  bool on_disk = false;
  BasisType type = BasisType::float64;
};

class Checkpoint : public StageTest, public testing::WithParamInterface<Case> {
 protected:
  const krylov::Reorthogonalization& mode() const { return GetParam().mode; }
  BasisPlan plan(const checkpoint::SegmentFolder* folder) const {
    return {.size = basis_size(mode(), kDimension, 20, false),
            .type = GetParam().type,
            .new_file = GetParam().on_disk ? row_files(folder, folder_ / "out") : nullptr};
  }
  krylov::LanczosProcess fresh(const checkpoint::SegmentFolder* folder = nullptr) {
    std::vector<double> start(kDimension);
    Philox(0, "test", "start").fill_normal(start);
    return krylov::LanczosProcess(op_, start, mode(), 0, plan(folder).make(kDimension));
  }
  checkpoint::SegmentFolder open() { return {folder_ / "root", "lanczos", {{"seed", 0}}, 0s}; }
  LanczosCheckpoint in(checkpoint::SegmentFolder& folder) { return {folder, plan(&folder)}; }
  std::optional<LanczosCheckpoint::State> load() {
    checkpoint::SegmentFolder folder = open();
    return in(folder).load(kDimension);
  }
  fs::path segment(int64_t steps) {
    return open().folder() / ("checkpoint-0000000" + std::to_string(steps) + ".h5");
  }
  /// Segments behind 2, 5 and 8 products.
  void write_segments() {
    checkpoint::SegmentFolder folder = open();
    LanczosCheckpoint checkpoint = in(folder);
    auto process = fresh(&folder);
    for (int step = 1; step <= 8; ++step) {
      process.step();
      if (step % 3 == 2) checkpoint.save(process);
    }
  }
  /// The factorization of 12 products, from the checkpoint's state where it has one.
  krylov::KrylovFactorization twelve_products(std::optional<LanczosCheckpoint::State> state) {
    auto process = state
                       ? krylov::LanczosProcess(op_, mode(), 0, state->factorization, std::move(state->basis))
                       : fresh();
    while (process.factorization().products < 12) process.step();
    return process.factorization();
  }
  void expect_uninterrupted(std::optional<LanczosCheckpoint::State> state) {
    const auto whole = twelve_products(std::nullopt), resumed = twelve_products(std::move(state));
    EXPECT_EQ(resumed.columns, whole.columns);
    EXPECT_EQ(resumed.beta, whole.beta);
    EXPECT_EQ(resumed.spike, whole.spike);
    EXPECT_EQ(resumed.residual_vector, whole.residual_vector);
    EXPECT_EQ(resumed.norm_estimate, whole.norm_estimate);
  }
  bool restarts() const { return std::holds_alternative<krylov::ThickRestart>(mode()); }
  bool each_holds_all() const { return krylov::rows_needed(mode()) > 0 && !restarts(); }

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
    checkpoint::SegmentFolder folder = open();
    LanczosCheckpoint checkpoint = in(folder);
    auto state = checkpoint.load(kDimension);
    krylov::LanczosProcess process(op_, mode(), 0, state->factorization, std::move(state->basis));
    while (process.factorization().products < 9) process.step();
    checkpoint.save(process);
  }
  auto state = load();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 9);
  expect_uninterrupted(std::move(state));
}

TEST_P(Checkpoint, FewSegmentsStayWhereEachHoldsAllRows) {
  checkpoint::SegmentFolder folder = open();
  LanczosCheckpoint checkpoint = in(folder);
  auto process = fresh(&folder);
  for (int step = 1; step <= 20; ++step) {
    process.step();
    checkpoint.save(process);
  }
  const auto entries = fs::directory_iterator(folder.folder());
  const auto segments = std::count_if(begin(entries), end(entries),
                                      [](const auto& file) { return file.path().extension() == ".h5"; });
  EXPECT_EQ(segments, each_holds_all() ? 2 : restarts() ? 4 : 20);
}

// The modes whose rows lie on disk.
class CheckpointOnDisk : public Checkpoint {
 protected:
  fs::path rows() {
    for (const auto& entry : fs::directory_iterator(open().folder())) {
      if (entry.path().extension() == ".bin") return entry.path();
    }
    return {};
  }
  void flip(const fs::path& path, int64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char flipped = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(flipped);
  }
};

TEST_P(CheckpointOnDisk, RowsAreNotWrittenASecondTime) {
  write_segments();
  for (int64_t number : {2, 5, 8})
    EXPECT_FALSE(artifact::ArtifactReader(segment(number), "ritzflow-checkpoint").has("rows"));
  EXPECT_EQ(fs::file_size(rows()), 8 * kDimension * 8);
}

TEST_P(CheckpointOnDisk, DamagedOrMissingRowFallsBackToTheSegmentBeforeIt) {
  write_segments();
  flip(rows(), 3 * kDimension * 8 + 5);  // row 3, of the segment behind 5 products
  auto state = load();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->factorization.products, 2);
  expect_uninterrupted(std::move(state));
  fs::resize_file(rows(), kDimension * 8);
  EXPECT_FALSE(load());
  fs::remove(rows());
  EXPECT_FALSE(load());
}

TEST_P(CheckpointOnDisk, RunGoesOnWithItsRowsInTheOtherPlace) {
  for (const bool from_disk : {true, false}) {
    fs::remove_all(folder_ / "root");
    for (int64_t step : {3, 6, 9}) {  // there, here, and there again
      checkpoint::SegmentFolder folder = open();
      BasisPlan there = plan(&folder);
      if (from_disk != (step == 6)) there.new_file = nullptr;
      LanczosCheckpoint checkpoint(folder, there);
      auto state = checkpoint.load(kDimension);
      EXPECT_EQ(state.has_value(), step > 3);
      std::vector<double> start(kDimension);
      Philox(0, "test", "start").fill_normal(start);
      auto process =
          state ? krylov::LanczosProcess(op_, mode(), 0, state->factorization, std::move(state->basis))
                : krylov::LanczosProcess(op_, start, mode(), 0, there.make(kDimension));
      EXPECT_EQ(process.factorization().products, step - 3);
      while (process.factorization().products < step) process.step();
      checkpoint.save(process);
    }
    expect_uninterrupted(load());
  }
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return krylov::mode_name(info.param.mode) + (info.param.on_disk ? "_disk" : "") +
         (info.param.type == BasisType::float32 ? "_float32" : "");
}

// Restarts behind 6, 9, 12, ... products: the segments of 5 and 8 lie on both sides of the first.
const krylov::ThickRestart restarted = {.krylov_dim = 6, .k = 2};

INSTANTIATE_TEST_SUITE_P(Modes, Checkpoint,
                         testing::Values(Case{krylov::Full{}}, Case{krylov::Window{3, 2}},
                                         Case{krylov::Off{}}, Case{krylov::Partial{}}, Case{restarted},
                                         Case{krylov::Full{}, false, BasisType::float32},
                                         Case{krylov::Full{}, true}, Case{krylov::Partial{}, true},
                                         Case{restarted, true},
                                         Case{krylov::Full{}, true, BasisType::float32}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Modes, CheckpointOnDisk,
                         testing::Values(Case{krylov::Full{}, true}, Case{krylov::Partial{}, true}), name_of);

}  // namespace
}  // namespace ritzflow::spectrum
