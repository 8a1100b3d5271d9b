// Cost of the curvature products in gradients of the same batch: float32, one thread, rounds interleaved so
// that a slow moment of the machine meets every product alike; the median over rounds of each ratio is
// reported.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <spdlog/spdlog.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/philox.h"
#include "curvature/operators/empirical_fisher.h"
#include "curvature/operators/ggn.h"
#include "curvature/operators/hessian.h"
#include "curvature/operators/mc_fisher.h"
#include "model/autodiff/linearization.h"
#include "model/networks/networks.h"

namespace ritzflow {
namespace {

constexpr int kRounds = 9;

struct Problem {
  std::string name;
  nlohmann::json architecture;
  problem::Task task;
  std::vector<int64_t> input_shape;
  int64_t outputs, samples;
};

const std::vector<Problem> kProblems = {
    {"mlp_1.9M_B512",
     {{"kind", "mlp"}, {"hidden", {1024, 1024}}, {"activation", "tanh"}},
     problem::Task::classification,
     {784},
     10,
     512},
    {"cnn_B128",
     {{"kind", "cnn"}, {"channels", {16, 32}}, {"activation", "relu"}, {"pooling", "max"}},
     problem::Task::classification,
     {3, 32, 32},
     10,
     128},
    {"transformer_d256_L4_T128_B8",
     {{"kind", "transformer"}, {"layers", 4}, {"heads", 4}, {"d_model", 256}, {"mlp_ratio", 4}},
     problem::Task::language_modeling,
     {128},
     96,
     8},
};

problem::Dataset random_data(const Problem& p) {
  problem::Dataset data;
  data.task = p.task;
  data.samples = p.samples;
  data.num_classes = p.outputs;
  data.shape = {.input_shape = p.input_shape,
                .outputs = p.outputs,
                .tokens = p.task == problem::Task::language_modeling};
  std::vector<int64_t> shape = {p.samples};
  shape.insert(shape.end(), p.input_shape.begin(), p.input_shape.end());
  if (data.shape.tokens) data.rows_per_sample = p.input_shape[0];
  data.inputs = data.shape.tokens ? at::randint(p.outputs, shape, at::kLong) : at::randn(shape);
  data.targets = at::randint(p.outputs, {data.rows()}, at::kLong);
  data.weights = at::ones({data.rows()}, at::kDouble);
  data.total_weight = static_cast<double>(data.rows());
  return data;
}

/// One batch as large as the data set.
std::shared_ptr<const problem::EmpiricalRisk> make_risk(const Problem& p, model::Lifetime lifetime) {
  at::manual_seed(0);
  const problem::Dataset data = random_data(p);
  const std::shared_ptr<const model::Network> network = model::make_network(p.architecture, data.shape);
  const at::Tensor theta = at::empty({network->params().size()}, at::kDouble);
  network->initialize(0, VectorSpan(theta.mutable_data_ptr<double>(), static_cast<size_t>(theta.numel())));
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("cross_entropy"), data, theta,
      problem::RiskOptions{.batch_size = p.samples, .dtype = at::kFloat, .lifetime = lifetime});
}

using Product = std::pair<std::string, std::function<void()>>;

Product product_of(std::string name, std::shared_ptr<krylov::LinearOperator> op, const std::vector<double>& v,
                   std::vector<double>& out) {
  return {std::move(name), [op, &v, &out] { op->apply(v, out); }};
}

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// The products of one problem, the gradient first.
std::vector<Product> products(const std::vector<double>& v, std::vector<double>& out,
                              const std::shared_ptr<const problem::EmpiricalRisk>& fresh,
                              const std::shared_ptr<const problem::EmpiricalRisk>& kept) {
  const auto linearized = [&](model::Lifetime lifetime) {
    return std::shared_ptr<model::Linearization>(
        kept->network().linearize(kept->theta(), kept->batch(0).inputs, lifetime));
  };
  const auto once = linearized(model::Lifetime::one_product),
             often = linearized(model::Lifetime::many_products);
  const auto direction = std::make_shared<model::ParamTensors>(kept->tensors(v));
  return {{"gradient", [fresh, &out] { fresh->gradient(out); }},
          product_of("hvp_fresh", curvature::make_hessian(fresh), v, out),
          product_of("hvp_kept", curvature::make_hessian(kept), v, out),
          {"jvp_fresh", [once, direction] { once->jvp(*direction); }},
          {"jvp_kept", [often, direction] { often->jvp(*direction); }},
          product_of("ggn_fresh", curvature::make_ggn(fresh), v, out),
          product_of("ggn_kept", curvature::make_ggn(kept), v, out),
          product_of("mc_fisher_fresh", curvature::make_mc_fisher(fresh, 1, 0), v, out),
          product_of("mc_fisher_kept", curvature::make_mc_fisher(kept, 1, 0), v, out),
          product_of("empirical_fisher_fresh", curvature::make_empirical_fisher(fresh), v, out),
          product_of("empirical_fisher_kept", curvature::make_empirical_fisher(kept), v, out)};
}

/// Seconds [product][round], after one round that is not counted.
std::vector<std::vector<double>> interleaved(const std::vector<Product>& all) {
  std::vector<std::vector<double>> times(all.size());
  for (int round = -1; round < kRounds; ++round) {
    for (size_t i = 0; i < all.size(); ++i) {
      const double time = seconds(all[i].second);
      if (round >= 0) times[i].push_back(time);
    }
  }
  return times;
}

void products_in_gradients(benchmark::State& state, const Problem& p) {
  const auto fresh = make_risk(p, model::Lifetime::one_product),
             kept = make_risk(p, model::Lifetime::many_products);
  std::vector<double> v(static_cast<size_t>(fresh->dim())), out(v.size());
  Philox(0, "bench", "direction").fill_normal(v);
  const std::vector<Product> all = products(v, out, fresh, kept);
  for (auto _ : state) {
    const auto times = interleaved(all);
    for (size_t i = 0; i < all.size(); ++i) {
      std::vector<double> ratios;
      for (int round = 0; round < kRounds; ++round) ratios.push_back(times[i][round] / times[0][round]);
      state.counters[all[i].first] = median(ratios);
    }
    state.counters["gradient_ms"] = 1e3 * median(times[0]);
    state.counters.erase("gradient");
  }
  state.counters["n_params"] = static_cast<double>(v.size());
}

}  // namespace
}  // namespace ritzflow

int main(int argc, char** argv) {
  at::set_num_threads(1);
  spdlog::set_level(spdlog::level::warn);  // stdout is for the table
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  for (const auto& problem : ritzflow::kProblems) {
    benchmark::RegisterBenchmark(
        problem.name.c_str(), [&problem](benchmark::State& state) { products_in_gradients(state, problem); })
        ->Iterations(1)
        ->UseRealTime()
        ->Unit(benchmark::kSecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
