// Cost of K-FAC: collection in gradients of the same data, and a product in the time of its four matrix
// products alone. One thread, rounds interleaved, medians. The eigendecompositions come once a data set
// whatever its length, so that the cost of a pass is the difference between a long and a short one.

#include "curvature/kfac.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "curvature/kfac_collect.h"

namespace ritzflow {
namespace {

constexpr int kRounds = 7;

struct Problem {
  const char* name;
  nlohmann::json architecture;
  std::vector<int64_t> input_shape;
  int64_t outputs, batch_size;
  bool tokens;
};

std::shared_ptr<const EmpiricalRisk> make_risk(const Problem& p, int64_t batches) {
  at::manual_seed(0);
  Dataset data;
  data.task = p.tokens ? Task::language_modeling : Task::classification;
  data.samples = p.batch_size * batches;
  data.num_classes = p.outputs;
  data.shape = {p.input_shape, p.outputs, p.tokens};
  data.rows_per_sample = p.tokens ? p.input_shape[0] : 1;
  std::vector<int64_t> shape = {data.samples};
  shape.insert(shape.end(), p.input_shape.begin(), p.input_shape.end());
  data.inputs = p.tokens ? at::randint(p.outputs, shape, at::kLong) : at::randn(shape);
  data.targets = at::randint(p.outputs, {data.rows()}, at::kLong);
  data.weights = at::ones({data.rows()}, at::kDouble);
  data.total_weight = static_cast<double>(data.rows());
  const std::shared_ptr<const Network> network = make_network(p.architecture, data.shape);
  const at::Tensor theta = at::empty({network->params().size()}, at::kDouble);
  network->initialize(0, VectorSpan(theta.mutable_data_ptr<double>(), static_cast<size_t>(theta.numel())));
  return std::make_shared<const EmpiricalRisk>(network, make_loss("cross_entropy"), data, theta,
                                               RiskOptions{.batch_size = p.batch_size, .dtype = at::kFloat});
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Median over rounds of each work's time, the works of a round one after the other.
std::vector<double> medians(const std::vector<std::function<void()>>& works) {
  std::vector<std::vector<double>> times(works.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < works.size(); ++i) times[i].push_back(seconds(works[i]));
  }
  std::vector<double> middle;
  for (auto& t : times) {
    std::nth_element(t.begin(), t.begin() + kRounds / 2, t.end());
    middle.push_back(t[kRounds / 2]);
  }
  return middle;
}

void collection(const Problem& p) {
  const auto brief = make_risk(p, 1), lengthy = make_risk(p, 3);
  std::vector<double> g(static_cast<size_t>(brief->dim()));
  const KfacOptions factors{.fisher = {.type = FisherType::mc}, .ekfac = false};
  const KfacOptions both{.fisher = {.type = FisherType::mc}, .ekfac = true};
  const auto t = medians({[&] { brief->gradient(g); }, [&] { lengthy->gradient(g); },
                          [&] { collect_kfac(*brief, factors); }, [&] { collect_kfac(*lengthy, factors); },
                          [&] { collect_kfac(*brief, both); }, [&] { collect_kfac(*lengthy, both); }});
  const double gradient = t[1] - t[0];
  std::printf("%-28s factors %.2f gradients, EKFAC pass %.2f gradients\n", p.name, (t[3] - t[2]) / gradient,
              (t[5] - t[4] - t[3] + t[2]) / gradient);
}

void product(const Problem& p) {
  const auto risk = make_risk(p, 1);
  const auto factors = collect_kfac(*risk, {.fisher = {.type = FisherType::mc}, .ekfac = false});
  KroneckerOperator op(factors, risk->network().params(), {});
  std::vector<double> v(static_cast<size_t>(op.dim()), 1.0), out(v.size());
  std::vector<at::Tensor> matrices;
  for (const auto& layer : factors.layers)
    matrices.push_back(at::ones({layer.out(), layer.in()}, at::kDouble));
  const auto four_products = [&] {
    for (size_t i = 0; i < matrices.size(); ++i) {
      const auto& layer = factors.layers[i];
      at::Tensor w = at::matmul(layer.g_eigenvectors, matrices[i]);
      if (layer.a_eigenvectors.defined())
        w = at::matmul(at::matmul(w, layer.a_eigenvectors), layer.a_eigenvectors);
      w = at::matmul(layer.g_eigenvectors, w);
    }
  };
  const auto t = medians({[&] { op.apply(v, out); }, four_products});
  std::printf("%-28s product %.2f of its matrix products alone (%.2f ms)\n", p.name, t[0] / t[1], 1e3 * t[0]);
}

}  // namespace
}  // namespace ritzflow

int main() {
  using namespace ritzflow;
  spdlog::set_level(spdlog::level::warn);
  at::set_num_threads(1);
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const std::vector<Problem> problems = {
      {"mlp_784_512_512_B512", {{"kind", "mlp"}, {"hidden", {512, 512}}}, {784}, 10, 512, false},
      {"transformer_d256_L2_T64_B8",
       {{"kind", "transformer"}, {"layers", 2}, {"heads", 4}, {"d_model", 256}, {"mlp_ratio", 4}},
       {64},
       96,
       8,
       true}};
  for (const auto& p : problems) {
    collection(p);
    product(p);
  }
  return 0;
}
