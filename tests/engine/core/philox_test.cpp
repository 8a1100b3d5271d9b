#include "core/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace ritzflow {
namespace {

using Block = std::array<uint32_t, 4>;

struct KnownAnswer {
  Block counter;
  std::array<uint32_t, 2> key;
  Block expected;
};

// The three vectors that the Random123 library publishes for philox4x32 with ten rounds (kat_vectors).
const std::vector<KnownAnswer> known_answers = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST(Philox, EqualsTheKnownAnswersOfRandom123) {
  for (const auto& [counter, key, expected] : known_answers) EXPECT_EQ(philox4x32(counter, key), expected);
}

TEST(Philox, ElementDependsOnSeedStagePurposeAndIndexAlone) {
  const Philox stream(7, "lanczos", "start");
  EXPECT_EQ(stream.bits(3), Philox(7, "lanczos", "start").bits(3));
  EXPECT_NE(stream.bits(3), stream.bits(4));
  EXPECT_NE(stream.bits(3), Philox(8, "lanczos", "start").bits(3));
  EXPECT_NE(stream.bits(3), Philox(7, "density", "start").bits(3));
  EXPECT_NE(stream.bits(3), Philox(7, "lanczos", "probe").bits(3));
  EXPECT_NE(stream.bits(3), Philox(7, "lanczoss", "tart").bits(3));
}

TEST(Philox, FillNormalWritesTheElementsOfTheStream) {
  const Philox stream(1, "test", "fill");
  std::vector<double> x(100);
  stream.fill_normal(x);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(x[i], stream.normal(i));
}

TEST(Philox, CountersAbove32BitsAreDistinct) {
  const Philox stream(1, "test", "wide");
  EXPECT_NE(stream.bits(5), stream.bits(5 + (uint64_t{1} << 32)));
  EXPECT_NE(stream.normal(5), stream.normal(5 + (uint64_t{1} << 32)));
}

// Moments of N samples lie within five standard deviations of their expectation.
TEST(Philox, UniformHasTheMomentsOfTheUnitInterval) {
  const Philox stream(2, "test", "uniform");
  const int count = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double u = stream.uniform(i);
    ASSERT_GT(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / count, 0.5, 5 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(squares / count, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / count));
}

TEST(Philox, NormalHasTheMomentsOfTheStandardNormal) {
  const Philox stream(3, "test", "normal");
  const int count = 200000;
  double sum = 0, squares = 0, fourth = 0, lag = 0;
  for (int i = 0; i < count; ++i) {
    const double x = stream.normal(i);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    lag += x * stream.normal(i + 1);
  }
  EXPECT_NEAR(sum / count, 0, 5 * std::sqrt(1.0 / count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2.0 / count));
  EXPECT_NEAR(fourth / count, 3, 5 * std::sqrt(96.0 / count));
  EXPECT_NEAR(lag / count, 0, 5 * std::sqrt(1.0 / count));
}

}  // namespace
}  // namespace ritzflow
