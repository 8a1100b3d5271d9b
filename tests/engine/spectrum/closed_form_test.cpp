#include "spectrum/closed_form.h"

#include <gtest/gtest.h>

namespace ritzflow::spectrum::test {
namespace {

TEST(ClosedForm, ErrorIsTheRoundingOfRightValues) {
  const auto check = check_closed_form({4.0 + 1e-9, 3, 1}, {4, 3, 1, 0, 0});
  EXPECT_NEAR(check.error, 2.5e-10, 1e-12);
  EXPECT_EQ(check.missed, 0);
}

// 3 has multiplicity three: a list with one copy of it is right, and two copies are missing.
TEST(ClosedForm, CopiesThatOneStartVectorDoesNotShowAreCountedAndNoError) {
  const auto check = check_closed_form({4, 3, 1}, {4, 3, 3, 3, 1, 1, 0});
  EXPECT_EQ(check.error, 0);
  EXPECT_EQ(check.missed, 2);
}

TEST(ClosedForm, AnEigenvalueThatWasPassedOverIsAnError) {
  const auto check = check_closed_form({4, 1}, {4, 3, 1, 0});
  EXPECT_NEAR(check.error, 0.25, 1e-15);
}

TEST(ClosedForm, AValueThatIsNoEigenvalueIsAnError) {
  EXPECT_NEAR(check_closed_form({4, 3.5, 3}, {4, 3, 1}).error, 0.125, 1e-15);
}

TEST(ClosedForm, ACopyTooManyIsCounted) {
  const auto check = check_closed_form({4, 4, 3}, {4, 3, 1});
  EXPECT_EQ(check.error, 0);
  EXPECT_EQ(check.missed, -1);
}

TEST(ClosedForm, OfAZeroOperatorIsAbsolute) {
  EXPECT_EQ(check_closed_form({0, 0}, {0, 0, 0}).error, 0);
  EXPECT_EQ(check_closed_form({1e-3}, {0, 0}).error, 1e-3);
}

}  // namespace
}  // namespace ritzflow::spectrum::test
