// Products on another device than the CPU, which the stand-in device is: as strict as a GPU, with the CPU's
// arithmetic.
#include <gtest/gtest.h>

#include "curvature/memory_plan.h"
#include "curvature/operators/empirical_fisher.h"
#include "curvature/operators/hessian.h"
#include "curvature/operators/mc_fisher.h"
#include "kfac_problems.h"
#include "model/networks/networks.h"
#include "problem/batch_cache.h"
#include "stand_in_device.h"

namespace ritzflow::curvature::test {
namespace {

struct Problem {
  std::shared_ptr<const model::Network> network;
  std::string loss;
  problem::Dataset data;

  Risk on(at::Device device, model::Lifetime lifetime = model::Lifetime::one_product,
          int64_t batch_size = 2) const {
    const at::Tensor theta = random_matrix(network->params().size(), 1, 99).reshape({-1}) * 0.5;
    return std::make_shared<const problem::EmpiricalRisk>(
        network, model::make_loss(loss), data, theta,
        problem::RiskOptions{
            .batch_size = batch_size, .dtype = at::kDouble, .lifetime = lifetime, .device = device});
  }
};

std::shared_ptr<const model::Network> mlp(const model::DataShape& shape) {
  return model::make_network({{"kind", "mlp"}, {"hidden", {6}}, {"activation", "tanh"}}, shape);
}

std::map<std::string, Problem> problems() {
  const problem::Dataset labels = labelled(5), values = regression(5);
  problem::Dataset yes_no = values;
  yes_no.targets = yes_no.targets.gt(0).to(at::kDouble);
  return {{"classification", {mlp(labels.shape), "cross_entropy", labels}},
          {"regression", {mlp(values.shape), "mse", values}},
          {"labels", {mlp(values.shape), "bce", yes_no}},
          {"images", {image_network("group"), "cross_entropy", images(5)}},
          {"sentences", {language_network(true), "cross_entropy", sentences()}}};
}

std::map<std::string, MakeOperator> operators() {
  std::map<std::string, MakeOperator> all = {
      {"ggn", make_ggn},
      {"mc_fisher", [](const Risk& risk) { return make_mc_fisher(risk, 3, 7); }},
      {"empirical_fisher", [](const Risk& risk) { return make_empirical_fisher(risk); }},
      {"of samples", [](const Risk& risk) {
         return make_empirical_fisher(risk, {.unit = FisherUnit::sample, .clip = 0.1});
       }}};
  for (const auto& [name, mode] : {std::pair("hessian", HessianMode::reverse_over_reverse),
                                   {"forward over reverse", HessianMode::forward_over_reverse},
                                   {"reverse over forward", HessianMode::reverse_over_forward}}) {
    all[name] = [mode](const Risk& risk) { return make_hessian(risk, mode); };
  }
  return all;
}

TEST(OnADevice, EveryProductHasTheValuesOfTheCpuAndWaitsOnce) {
  for (const auto& [what, problem] : problems()) {
    for (const auto& [name, make] : operators()) {
      for (const model::Lifetime lifetime : {model::Lifetime::one_product, model::Lifetime::many_products}) {
        SCOPED_TRACE(what + ", " + name +
                     (lifetime == model::Lifetime::one_product ? ", rebuilt" : ", kept"));
        const auto on_cpu = make(problem.on(at::kCPU, lifetime));
        const auto on_device = make(problem.on(stand_in_device(), lifetime));
        for (const uint64_t seed : {1, 2}) {
          const auto v = random_vector(on_cpu->dim(), seed);
          std::vector<double> actual(v.size());
          EXPECT_EQ(transfers_of([&] { on_device->apply(v, actual); }).to_host, 1);
          EXPECT_LE(relative_error(actual, product(*on_cpu, v)), 1e-14);
        }
      }
    }
  }
}

TEST(OnADevice, LossAndGradientAreThoseOfTheCpu) {
  for (const auto& [what, problem] : problems()) {
    const Risk cpu = problem.on(at::kCPU), device = problem.on(stand_in_device());
    EXPECT_NEAR(device->loss(), cpu->loss(), 1e-14 * cpu->loss()) << what;
    std::vector<double> expected(static_cast<size_t>(cpu->dim())), actual(expected.size());
    cpu->gradient(expected);
    device->gradient(actual);
    EXPECT_LE(relative_error(actual, expected), 1e-14) << what;
  }
}

TEST(OnADevice, MicroBatchesRunOneBehindTheOther) {
  const Risk risk = problems().at("images").on(stand_in_device());
  EXPECT_EQ(risk->options().in_flight, 1);
  EXPECT_EQ(plan_memory(*risk, make_ggn, 2, false, int64_t{1} << 30).in_flight, 1);
}

TEST(OnADevice, TheMemoryPlanIsOfItsMemory) {
  const Problem problem{mlp({{50}, 10, false}), "cross_entropy",
                        dataset(random_matrix(64, 50, 1), random_labels(64, 10, 2), 10)};
  const Risk risk = problem.on(stand_in_device());
  const MemoryPlan plan = plan_memory(*risk, make_ggn, 32, false, int64_t{1} << 30);
  ASSERT_EQ(plan.lifetime, model::Lifetime::many_products);
  Risk kept;
  const auto on_device = [](const auto& work) { return problem::allocation_of(stand_in_device(), work); };
  const int64_t resident =
      on_device([&] { kept = problem.on(stand_in_device(), model::Lifetime::many_products, 32); }).kept;
  std::vector<double> v(static_cast<size_t>(kept->dim()), 1.0), out(v.size());
  std::unique_ptr<krylov::LinearOperator> op;
  const int64_t peak = on_device([&] {
                         op = make_ggn(kept);
                         op->apply(v, out);
                         op->apply(v, out);
                       }).peak;
  EXPECT_LE(resident + peak, plan.bytes * 115 / 100);
  EXPECT_GE(resident + peak, plan.bytes / 2);
}

TEST(OnADevice, KroneckerFactorsAreThoseOfTheCpu) {
  for (const char* what : {"classification", "images", "sentences"}) {
    const Problem problem = problems().at(what);
    for (const FisherType type : {FisherType::type2, FisherType::mc, FisherType::empirical}) {
      for (const TokenTerms terms : {TokenTerms::separate, TokenTerms::signs}) {
        const KfacOptions options{.fisher = {.type = type, .terms = terms, .mc_samples = 2}};
        const auto expected = collect_kfac(*problem.on(at::kCPU), options);
        const auto actual = collect_kfac(*problem.on(stand_in_device()), options);
        ASSERT_EQ(actual.layers.size(), expected.layers.size());
        for (size_t i = 0; i < actual.layers.size(); ++i) {
          const auto& [a, b] = std::tie(actual.layers[i], expected.layers[i]);
          EXPECT_TRUE(at::allclose(a.a_eigenvalues, b.a_eigenvalues, 1e-12, 1e-14)) << what;
          EXPECT_TRUE(at::allclose(a.g_eigenvalues, b.g_eigenvalues, 1e-12, 1e-14)) << what;
          EXPECT_TRUE(at::allclose(a.ekfac_eigenvalues, b.ekfac_eigenvalues, 1e-9, 1e-12)) << what;
        }
      }
    }
  }
}

TEST(OnADevice, ACollectionGoesOnFromSumsOfAFile) {
  const Problem problem = problems().at("sentences");
  const Risk risk = problem.on(stand_in_device());
  KfacSums halfway;
  const auto whole = collect_kfac(*risk, {}, [&](const KfacSums& sums) {
    if (sums.batches != 1) return;
    halfway.batches = 1;
    for (const SymmetricSum& sum : sums.factors) {
      halfway.factors.emplace_back();
      for (const at::Tensor& strip : sum) halfway.factors.back().push_back(strip.cpu());
    }
  });
  const auto rest = collect_kfac(*risk, {}, {}, halfway);
  for (size_t i = 0; i < whole.layers.size(); ++i)
    EXPECT_TRUE(at::equal(rest.layers[i].a_eigenvalues, whole.layers[i].a_eigenvalues));
}

}  // namespace
}  // namespace ritzflow::curvature::test
