#include "krylov/ritz/two_pass.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "krylov/ritz/evidence.h"
#include "problems.h"

namespace ritzflow::krylov {
namespace {

EvidenceOptions wanted(const Problem& problem, Which which) {
  return {.k = 8, .which = which, .tol = 1e-8, .norm_a = problem.norm()};
}

void expect_same_pairs(const RitzEvidence& a, const RitzEvidence& b, const std::string& name) {
  ASSERT_EQ(a.pairs.size(), b.pairs.size()) << name;
  for (size_t i = 0; i < a.pairs.size(); ++i) {
    EXPECT_EQ(a.pairs[i].vector, b.pairs[i].vector) << name;
    EXPECT_EQ(a.pairs[i].verdict, b.pairs[i].verdict) << name;
  }
}

/// Products of vectors that lie at a round address: Eigen's sums depend on where a vector begins.
class Aligned final : public LinearOperator {
 public:
  explicit Aligned(LinearOperator& op) : operator_(op) {}
  int64_t dim() const override { return operator_.dim(); }
  void apply(VectorView v, VectorSpan out) override {
    const Eigen::VectorXd x = Eigen::Map<const Eigen::VectorXd>(v.data(), dim());
    Eigen::VectorXd y(dim());
    operator_.apply({x.data(), v.size()}, {y.data(), v.size()});
    std::ranges::copy(y, out.begin());
  }

 private:
  LinearOperator& operator_;
};

TEST(TwoPass, PairsHaveTheBitsOfThoseOfAKeptBasis) {
  for (const Problem& problem : standard_problems()) {
    for (const Reorthogonalization& mode :
         std::vector<Reorthogonalization>{Off{}, Window{8, 5}, Window{3, 1}}) {
      for (Which which : {Which::largest, Which::both}) {
        const std::string name = problem.name + " " + mode_name(mode);
        const auto plain = problem.make();
        Aligned op(*plain);
        const auto process = run_steps(op, mode, 3, 80);
        const auto& f = process.factorization();
        const EvidenceOptions options = wanted(problem, which);
        const std::vector<double> start = random_start(op.dim(), 3);
        const TwoPass replay(op, {f, start, mode, 3}, likely_walk(ritz_candidates(f, mode), which, 8), 100);
        expect_same_pairs(ritz_evidence(op, f, replay, mode, options),
                          ritz_evidence(op, f, process.basis(), mode, options), name);
        EXPECT_GE(replay.products(), f.size());
      }
    }
  }
}

TEST(TwoPass, SmallBatchesTakeMoreReplaysAndGiveTheSameBits) {
  const Problem problem = psd_curvature();
  const auto op = problem.make();
  const auto process = run_steps(*op, Off{}, 3, 60);
  const auto& f = process.factorization();
  const std::vector<double> start = random_start(op->dim(), 3);
  const auto walk = likely_walk(ritz_candidates(f, Off{}), Which::largest, 8);
  const TwoPass all(*op, {f, start, Off{}, 3}, walk, 1000), few(*op, {f, start, Off{}, 3}, walk, 5);
  const EvidenceOptions options = wanted(problem, Which::largest);
  expect_same_pairs(ritz_evidence(*op, f, all, Off{}, options), ritz_evidence(*op, f, few, Off{}, options),
                    "");
  EXPECT_EQ(all.products(), 60);
  EXPECT_GT(few.products(), 60);
}

/// Products whose last bits differ from call to call.
class Noisy final : public LinearOperator {
 public:
  explicit Noisy(LinearOperator& op) : operator_(op) {}
  int64_t dim() const override { return operator_.dim(); }
  void apply(VectorView v, VectorSpan out) override {
    operator_.apply(v, out);
    const Philox random(static_cast<uint64_t>(calls_++), "test", "noise");
    for (size_t i = 0; i < out.size(); ++i) out[i] *= 1 + 1e-7 * random.normal(i);
  }

 private:
  LinearOperator& operator_;
  int calls_ = 0;
};

TEST(TwoPass, OperatorThatDoesNotRepeatItsBitsIsRefusedAtTheFirstProduct) {
  const Problem problem = psd_curvature();
  const auto exact = problem.make();
  Noisy op(*exact);
  const auto process = run_steps(op, Off{}, 3, 30);
  const auto& f = process.factorization();
  const std::vector<double> start = random_start(op.dim(), 3);
  const TwoPass replay(op, {f, start, Off{}, 3}, ritz_candidates(f, Off{}), 10);
  try {
    ritz_evidence(op, f, replay, Off{}, wanted(problem, Which::largest));
    FAIL();
  } catch (const Refusal& refusal) {
    EXPECT_NE(std::string(refusal.what()).find("product 1 made again gives alpha"), std::string::npos);
  }
}

}  // namespace
}  // namespace ritzflow::krylov
