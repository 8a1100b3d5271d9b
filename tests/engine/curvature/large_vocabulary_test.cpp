// 1,024 tokens of a vocabulary of 50,257: one array of all logits alone is 206 MB in float32.
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include "curvature/operators/empirical_fisher.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "curvature/operators/mc_fisher.h"
#include "model/networks/networks.h"
#include "problem/batch_cache.h"
#include "problems.h"

namespace ritzflow::curvature::test {
namespace {

constexpr int64_t samples = 8, context = 128, vocabulary = 50257;
constexpr int64_t limit = 300'000'000;

std::shared_ptr<const problem::EmpiricalRisk> language_model() {
  problem::Dataset data;
  data.task = problem::Task::language_modeling;
  data.shape = {{context}, vocabulary, true};
  data.num_classes = vocabulary;
  data.samples = samples;
  data.rows_per_sample = context;
  data.inputs = random_labels(samples * context, vocabulary, 1).view({samples, context});
  data.targets = random_labels(samples * context, vocabulary, 2);
  data.weights = at::ones({samples * context}, at::kDouble);
  data.total_weight = samples * context;
  const std::shared_ptr<const model::Network> network = model::make_network(
      {{"kind", "transformer"}, {"layers", 1}, {"heads", 2}, {"d_model", 32}}, data.shape);
  const at::Tensor theta = random_matrix(network->params().size(), 1, 3).reshape({-1}) * 0.1;
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("cross_entropy"), data, theta,
      problem::RiskOptions{.batch_size = samples, .dtype = at::kFloat});
}

class LargeVocabulary : public ::testing::Test {
 protected:
  int64_t peak(const std::function<void()>& work) const {
    return problem::allocation_of(at::kCPU, work).peak;
  }

  /// Two products: the second one finds what the first one kept.
  int64_t peak_of(const std::function<std::unique_ptr<krylov::LinearOperator>()>& make) const {
    return peak([&] {
      const auto op = make();
      std::vector<double> out = product(*op, v_);
      op->apply(v_, out);
      EXPECT_GT(std::inner_product(out.begin(), out.end(), out.begin(), 0.0), 0);
    });
  }

  const tbb::global_control one_{tbb::global_control::max_allowed_parallelism, 1};
  const std::shared_ptr<const problem::EmpiricalRisk> risk_ = language_model();
  const std::vector<double> v_ = random_vector(risk_->dim(), 4);
};

TEST_F(LargeVocabulary, ProductsNeverHoldTheLogitsOfAllTokens) {
  EXPECT_LT(peak_of([&] { return make_ggn(risk_); }), limit);
  EXPECT_LT(peak_of([&] { return make_hessian(risk_); }), limit);
  EXPECT_LT(peak_of([&] { return make_empirical_fisher(risk_); }), limit);
  EXPECT_LT(peak_of([&] { return make_mc_fisher(risk_, 1, 5); }), limit);
}

TEST_F(LargeVocabulary, LossAndGradientNeverHoldTheLogitsOfAllTokens) {
  std::vector<double> g(v_.size());
  EXPECT_LT(peak([&] { risk_->gradient(g); }), limit);
  EXPECT_LT(peak([&] { risk_->loss(); }), limit);
}

}  // namespace
}  // namespace ritzflow::curvature::test
