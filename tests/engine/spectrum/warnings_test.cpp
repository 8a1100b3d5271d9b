#include "spectrum/warnings.h"

#include <gtest/gtest.h>

namespace ritzflow::spectrum {
namespace {

TEST(MethodWarnings, CountTheWantedPairsAlone) {
  RitzContext context;
  context.options = {.k = 2, .which = Which::both, .tol = 1e-6};
  context.record.factorization.products = 10;
  krylov::RitzEvidence evidence;
  evidence.pairs.resize(3);
  for (size_t i = 0; i < 3; ++i) {
    evidence.pairs[i].value = std::array{9, 9, -8}[i];
    evidence.pairs[i].verdict = krylov::Verdict::converged;
  }
  evidence.pairs.back().verdict = krylov::Verdict::unconverged;
  EXPECT_EQ(method_warnings(context, evidence),
            (std::vector<std::string>{"only 1 of 2 wanted pairs converged"}));
}

TEST(MethodWarnings, NameTheNumberThatRaisedThem) {
  RitzContext context;
  context.options = {.k = 9, .tol = 1e-6, .noise = 1e-3};
  context.asymmetry = 0.5;
  context.record.n = 1000;
  context.record.factorization.products = 10;
  krylov::RitzEvidence evidence;
  evidence.pairs.resize(1);
  evidence.pairs[0].verdict = krylov::Verdict::converged;
  evidence.naive_ghosts = 4;
  const std::vector<std::string> list = method_warnings(context, evidence);
  const auto starts = [](const std::string& text, const std::string& head) { return text.starts_with(head); };
  ASSERT_EQ(list.size(), 5u);
  EXPECT_PRED2(starts, list[0], "only 1 of 9 wanted pairs converged");
  EXPECT_PRED2(starts, list[1], "too few iterations: 10 for k = 9, fewer than 2 k");
  EXPECT_PRED2(starts, list[2], "repeated values: 4 of the naive top 9");
  EXPECT_PRED2(starts, list[3], "tol 1e-06 is below the operator's relative noise 0.001");
  EXPECT_PRED2(starts, list[4], "asymmetry: |u'A v - v'A u| is 0.5 ||A||");
}

TEST(MethodWarnings, FewIterationsAreEnoughWhereTheyAreCertifiedOrSawTheWholeSpace) {
  RitzContext context;
  context.options = {.k = 2, .tol = 1e-6};
  context.record.n = 1000;
  context.record.factorization.products = 3;
  krylov::RitzEvidence evidence;
  evidence.pairs.resize(2);
  for (krylov::RitzPair& pair : evidence.pairs) pair.verdict = krylov::Verdict::converged;
  EXPECT_EQ(method_warnings(context, evidence).size(), 1u);
  context.record.certificate.emplace().certified_largest = true;
  EXPECT_TRUE(method_warnings(context, evidence).empty());
  context.options.which = Which::both;
  EXPECT_EQ(method_warnings(context, evidence).size(), 1u);
  context.record.n = 3;
  EXPECT_TRUE(method_warnings(context, evidence).empty());
}

class Float32Basis : public ::testing::Test {
 protected:
  void SetUp() override { context_.record.settings.dtype_basis = BasisType::float32; }

  /// Warnings about two wanted pairs, values 10 = ||A|| and 1, of which the second has this verdict.
  std::vector<std::string> warnings(double tol, krylov::Verdict second = krylov::Verdict::unconverged) {
    context_.options = {.k = 2, .tol = tol, .norm_a = 10, .noise = 1e-16};
    context_.record.factorization.products = 10;
    krylov::RitzEvidence evidence;
    evidence.pairs.resize(2);
    evidence.pairs[0].value = 10;
    evidence.pairs[1].value = 1;
    evidence.pairs[0].verdict = krylov::Verdict::converged;
    evidence.pairs[1].verdict = second;
    return method_warnings(context_, evidence);
  }
  RitzContext context_;
};

TEST_F(Float32Basis, IsNamedWhereItRoundsAwayMoreThanTheTolerance) {
  EXPECT_EQ(warnings(1e-7),
            (std::vector<std::string>{
                "only 1 of 2 wanted pairs converged",
                "tol 1e-07 is below what a float32 basis rounds away, 5.96e-08 ||A||, for 1 of 1 unconverged "
                "pairs: use --dtype-basis float64, or a tol of at least 6e-07"}));
}

TEST_F(Float32Basis, IsNotBlamedForWhatItDoesNotCause) {
  EXPECT_EQ(warnings(1e-6).size(), 1u);  // within its reach
  EXPECT_TRUE(warnings(1e-7, krylov::Verdict::converged).empty());
  context_.record.settings.dtype_basis = BasisType::float64;
  EXPECT_EQ(warnings(1e-7).size(), 1u);
}

}  // namespace
}  // namespace ritzflow::spectrum
