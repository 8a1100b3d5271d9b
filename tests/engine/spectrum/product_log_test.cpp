#include "checkpoint/product_log.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "stage_testing.h"

namespace ritzflow::spectrum {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// diag(1, 2, 3), counting its products.
class Counted : public krylov::LinearOperator {
 public:
  int64_t dim() const override { return 3; }
  void apply(VectorView v, VectorSpan out) override {
    ++calls;
    for (size_t i = 0; i < v.size(); ++i) out[i] = static_cast<double>(i + 1) * v[i];
  }
  int calls = 0;
};

class Log : public StageTest {
 protected:
  checkpoint::SegmentFolder open() { return {folder_ / "root", "test", {{"seed", 0}}, 0s}; }

  /// A computation in which each product depends on the one before it; its last vector.
  static std::vector<double> power(krylov::LinearOperator& op, int steps, double first = 1) {
    std::vector<double> v = {first, 1, 1}, w(3);
    for (int i = 0; i < steps; ++i) {
      op.apply(v, w);
      for (size_t j = 0; j < 3; ++j) v[j] = w[j] / std::abs(w[2]) / 3;
    }
    return v;
  }

  /// Products in segments, by the number of the newest one: how many there are is a matter of time.
  int recorded() {
    int newest = 0;
    for (const auto& entry : fs::directory_iterator(open().folder())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("products-")) newest = std::max(newest, std::stoi(name.substr(9)));
    }
    return newest;
  }

  Counted op_;
};

TEST_F(Log, ReplaysWhatItHasAndGoesOnBehindIt) {
  const auto whole = power(op_, 7);
  {
    checkpoint::SegmentFolder folder = open();
    checkpoint::ProductLog log(op_, &folder);
    power(log, 4);
  }
  const int before = recorded();
  ASSERT_GE(before, 1);
  op_.calls = 0;
  checkpoint::SegmentFolder folder = open();
  checkpoint::ProductLog log(op_, &folder);
  EXPECT_EQ(power(log, 7), whole);
  EXPECT_EQ(op_.calls, 7 - before);
}

TEST_F(Log, ProductsBehindADamagedSegmentAreComputedAnew) {
  {
    checkpoint::SegmentFolder folder = open();
    checkpoint::ProductLog log(op_, &folder);
    power(log, 4);
  }
  {
    const fs::path first = open().folder() / "products-00000001.h5";
    fs::resize_file(first, fs::file_size(first) - 1);
  }
  op_.calls = 0;
  checkpoint::SegmentFolder folder = open();
  checkpoint::ProductLog log(op_, &folder);
  EXPECT_EQ(power(log, 4), power(op_, 4));
  EXPECT_EQ(op_.calls, 4 + 4);
}

TEST_F(Log, ProductOfAnotherVectorIsNeverUsed) {
  {
    checkpoint::SegmentFolder folder = open();
    checkpoint::ProductLog log(op_, &folder);
    power(log, 4);
  }
  checkpoint::SegmentFolder folder = open();
  checkpoint::ProductLog log(op_, &folder);
  EXPECT_EQ(power(log, 4, 0.5), power(op_, 4, 0.5));
}

TEST_F(Log, WithoutAFolderItOnlyPassesProductsOn) {
  checkpoint::ProductLog log(op_, nullptr);
  EXPECT_EQ(power(log, 3), power(op_, 3));
}

}  // namespace
}  // namespace ritzflow::spectrum
