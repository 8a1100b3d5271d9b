#include "core/nearest.h"

#include <gtest/gtest.h>

namespace ritzflow {
namespace {

const std::vector<std::string> kModes = {"full", "selective", "off", "auto"};

TEST(Nearest, TypingErrorFindsTheWord) {
  EXPECT_EQ(nearest("selectiv", kModes), "selective");
  EXPECT_EQ(nearest("selctive", kModes), "selective");
  EXPECT_EQ(nearest("fulll", kModes), "full");
  EXPECT_EQ(nearest("of", kModes), "off");
}

TEST(Nearest, RightWordFindsItself) {
  for (const auto& mode : kModes) EXPECT_EQ(nearest(mode, kModes), mode);
}

TEST(Nearest, OfEquallyNearWordsTheFirstIsTaken) { EXPECT_EQ(nearest("at", {"cat", "bat"}), "cat"); }

TEST(Nearest, WordThatIsFarFromAllFindsNothing) {
  EXPECT_EQ(nearest("lanczos", kModes), "");
  EXPECT_EQ(nearest("lanczos", {}), "");
}

TEST(Nearest, QuestionIsAskedOnlyWhereAWordIsNear) {
  EXPECT_EQ(did_you_mean("ful", kModes), "; did you mean 'full'?");
  EXPECT_EQ(did_you_mean("lanczos", kModes), "");
}

}  // namespace
}  // namespace ritzflow
