#include "curvature/memory_plan.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include "core/error.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "problem/batch_cache.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

constexpr int64_t samples = 64;

std::shared_ptr<const problem::EmpiricalRisk> risk() {
  return mlp_risk(dataset(random_matrix(samples, 50, 1), random_labels(samples, 10, 2), 10),
                  {.hidden = {80, 80}, .batch_size = 32});
}

const MakeOperator make_kept_hessian = [](const auto& r) { return make_hessian(r); };

/// Bytes of two products as the plan has them made, and of the vectors that the caller holds.
int64_t measured(const MemoryPlan& plan, const MakeOperator& make) {
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const auto cut = std::make_shared<const problem::EmpiricalRisk>(
      risk()->cut(plan.batch_size, plan.lifetime, plan.in_flight));
  std::vector<double> v(static_cast<size_t>(cut->dim()), 1.0), out(v.size());
  const int64_t peak = problem::allocation_of(at::kCPU, [&] {
                         const auto op = make(cut);
                         op->apply(v, out);
                         op->apply(v, out);
                       }).peak;
  return peak + 2 * cut->dim() * 8;
}

MemoryPlan plan(int64_t limit, bool fixed = false) {
  return plan_memory(*risk(), make_kept_hessian, 32, fixed, limit);
}

TEST(MemoryPlan, KeepsLinearizationsWhereAllOfThemFit) {
  const MemoryPlan p = plan(int64_t{1} << 30);
  EXPECT_EQ(p.lifetime, model::Lifetime::many_products);
  EXPECT_EQ(p.batch_size, 32);
  EXPECT_GT(p.in_flight, 1);
}

TEST(MemoryPlan, RebuildsThemWhereTheyDoNot) {
  const MemoryPlan kept = plan(int64_t{1} << 30), p = plan(kept.bytes - 1);
  EXPECT_EQ(p.lifetime, model::Lifetime::one_product);
  EXPECT_EQ(p.batch_size, 32);
  EXPECT_LT(p.bytes, kept.bytes);
}

TEST(MemoryPlan, TakesSmallerBatchesWhereThatIsNotEnoughUnlessTheUserNamedThem) {
  const int64_t limit = plan(plan(int64_t{1} << 30).bytes - 1).bytes - 1;
  EXPECT_LT(plan(limit).batch_size, 32);
  EXPECT_LE(plan(limit).bytes, limit);
  EXPECT_THROW(plan(limit, /*fixed=*/true), Refusal);
}

TEST(MemoryPlan, EstimatesWhatIsThenUsed) {
  for (const int64_t limit : {int64_t{1} << 30, plan(int64_t{1} << 30).bytes - 1}) {
    const MemoryPlan p = plan(limit);
    const int64_t used = measured(p, make_kept_hessian);
    EXPECT_LE(used, static_cast<int64_t>(1.02 * static_cast<double>(p.bytes)));
    EXPECT_GE(used, p.bytes / 2);
  }
}

TEST(MemoryPlan, NamesTheLeastMemoryThatWouldDo) {
  try {
    plan(1 << 16);
    FAIL();
  } catch (const Refusal& refusal) {
    const std::string text = refusal.what();
    const auto at = text.find("needs ");
    ASSERT_NE(at, std::string::npos) << text;
    const int64_t least = std::stoll(text.substr(at + 6)) << 10;
    EXPECT_EQ(plan(least).batch_size, 1);
    EXPECT_THROW(plan(least - (1 << 10) - 1), Refusal);
  }
}

}  // namespace
}  // namespace ritzflow::curvature::test
