// Cost of K-FAC, in one thread and in processor time: collection in gradients of the same data, a product in
// the time of its four matrix products alone, memory in numbers of n and of the factors.
//
//   kfac                         the table of `make bench`
//   kfac DATA MODEL DTYPE TERMS  seconds of collection (type2) and products at a point, as JSON

#include "curvature/kfac/kfac.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "curvature/kfac/kfac_collect.h"
#include "curvature/risk_point.h"
#include "model/networks/networks.h"

namespace ritzflow {
namespace {

constexpr int kRounds = 5;

struct Problem {
  const char* name;
  nlohmann::json architecture;
  std::vector<int64_t> input_shape;
  int64_t outputs, batch_size;
  bool tokens;
};

std::shared_ptr<const problem::EmpiricalRisk> make_risk(const Problem& p, int64_t batches) {
  at::manual_seed(0);
  problem::Dataset data;
  data.task = p.tokens ? problem::Task::language_modeling : problem::Task::classification;
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
  const std::shared_ptr<const model::Network> network = model::make_network(p.architecture, data.shape);
  const at::Tensor theta = at::empty({network->params().size()}, at::kDouble);
  network->initialize(0, VectorSpan(theta.mutable_data_ptr<double>(), static_cast<size_t>(theta.numel())));
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss("cross_entropy"), data, theta,
      problem::RiskOptions{.batch_size = p.batch_size, .dtype = at::kFloat});
}

/// Of the processor: other programs on the machine do not count.
double now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds(const std::function<void()>& work) {
  const double start = now();
  work();
  return now() - start;
}

double median(std::vector<double> x) {
  std::ranges::nth_element(x, x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2));
  return x[x.size() / 2];
}

/// Median over rounds of each work's time, the works of a round one after the other.
std::vector<double> medians(const std::vector<std::function<void()>>& works) {
  std::vector<std::vector<double>> times(works.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < works.size(); ++i) times[i].push_back(seconds(works[i]));
  }
  std::vector<double> middle;
  for (const auto& t : times) middle.push_back(median(t));
  return middle;
}

/// Time of a micro-batch in the pass of the factors and in that of EKFAC: from one call of the observer to
/// the next, so that the eigendecompositions between the passes do not count.
void collection(const Problem& p, const char* name, const curvature::CotangentOptions& fisher) {
  const int64_t batches = 6;
  const auto risk = make_risk(p, batches);
  std::vector<double> g(static_cast<size_t>(risk->dim())), gradient, factors, ekfac;
  for (int round = 0; round < kRounds; ++round) {
    gradient.push_back(seconds([&] { risk->gradient(g); }) / static_cast<double>(batches));
    double start = 0;
    curvature::collect_kfac(*risk, {.fisher = fisher}, [&](const curvature::KfacSums& sums) {
      const int64_t in_pass = (sums.batches - 1) % batches;
      if (in_pass == 0) start = now();
      if (in_pass < batches - 1) return;
      (sums.batches == batches ? factors : ekfac)
          .push_back((now() - start) / static_cast<double>(batches - 1));
    });
  }
  std::printf("%-28s %-10s collection: pass of factors %5.2f gradients, pass of EKFAC %5.2f gradients\n",
              p.name, name, median(factors) / median(gradient), median(ekfac) / median(gradient));
  std::fflush(stdout);
}

/// A figure of /proc/self/status in bytes.
double memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return 1024 * std::stod(line.substr(name.size() + 1));
  }
  return 0;
}

/// What work() takes at its peak beyond what there was.
double peak_of(const std::function<void()>& work) {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = memory("VmRSS");
  work();
  return memory("VmHWM") - before;
}

/// Seconds of the four matrix products of each layer alone: G W A with square factors, there and back.
std::function<void()> four_products(const curvature::KroneckerFactors& factors) {
  std::vector<at::Tensor> matrices;
  for (const auto& layer : factors.layers) {
    matrices.push_back(at::ones({layer.out(), layer.in()}, at::kDouble));
  }
  return [&factors, matrices] {
    for (size_t i = 0; i < matrices.size(); ++i) {
      const at::Tensor &u_a = factors.layers[i].a_eigenvectors, &u_g = factors.layers[i].g_eigenvectors;
      at::Tensor w = at::mm(u_g.t(), matrices[i]);
      if (u_a.defined()) w = at::mm(at::mm(w, u_a), u_a.t());
      w = at::mm(u_g, w);
    }
  };
}

/// n and the numbers of the factors; of EKFAC its eigenvalues are a part of them.
double numbers_of(const curvature::KroneckerFactors& factors, int64_t n, bool ekfac) {
  int64_t sum = n;
  for (const auto& layer : factors.layers) {
    sum += layer.g_eigenvectors.numel() + (layer.a_eigenvectors.defined() ? layer.a_eigenvectors.numel() : 0);
    if (ekfac) sum += layer.ekfac_eigenvalues.numel();
  }
  return static_cast<double>(sum);
}

void product(const Problem& p, bool ekfac) {
  const auto risk = make_risk(p, 1);
  curvature::KroneckerFactors factors = curvature::collect_kfac(*risk, {.fisher = {.type = FisherType::mc}});
  curvature::KroneckerOperator op(factors, risk->network().params(), {.of = {.ekfac = ekfac}});
  std::vector<double> v(static_cast<size_t>(op.dim()), 1.0), out(v.size());
  const auto t = medians({[&] { op.apply(v, out); }, four_products(factors)});
  const double expected = numbers_of(factors, op.dim(), ekfac);
  double held = 0;
  for (const auto& block : op.blocks()) held += static_cast<double>(block.numbers());
  factors = {};
  const double beside = peak_of([&] { op.apply(v, out); }) / 8;
  std::printf(
      "%-28s %-10s product: %.2f of its four matrix products alone (%.2f ms); of n + factors it holds "
      "%.2f and takes %.2f at its peak\n",
      p.name, ekfac ? "ekfac" : "kfac", t[0] / t[1], 1e3 * t[0], held / expected, (held + beside) / expected);
}

void table() {
  const std::vector<Problem> problems = {
      {"mlp_784_512_512_B512", {{"kind", "mlp"}, {"hidden", {512, 512}}}, {784}, 10, 512, false},
      {"transformer_d256_L2_T64_B8",
       {{"kind", "transformer"}, {"layers", 2}, {"heads", 4}, {"d_model", 256}, {"mlp_ratio", 4}},
       {64},
       96,
       8,
       true}};
  for (const auto& p : problems) {
    collection(p, "mc", {.type = FisherType::mc});
    collection(p, "empirical", {.type = FisherType::empirical, .terms = TokenTerms::signs});
    if (!p.tokens) collection(p, "type2", {.type = FisherType::type2});
    for (const bool ekfac : {false, true}) product(p, ekfac);
  }
}

/// Of one point, for a comparison with other programs.
void point(const char* const* argv) {
  RiskSettings settings;
  settings.data = argv[1];
  settings.model = argv[2];
  settings.dtype_compute = parse_word<Arithmetic>("dtype", argv[3]);
  const curvature::RiskPoint at_point = curvature::load_risk(settings, {});
  const problem::EmpiricalRisk& risk = *at_point.risk;
  curvature::KfacOptions options{
      .fisher = {.terms = curvature::choose_token_terms(parse_word<TokenTerms>("terms", argv[4]),
                                                        FisherType::type2, 1, 1)}};
  curvature::KroneckerFactors factors = curvature::collect_kfac(risk, options);
  const double ekfac = seconds([&] { factors = curvature::collect_kfac(risk, options); });
  options.ekfac = false;
  const double kfac = seconds([&] { curvature::collect_kfac(risk, options); });
  const auto product = [&](bool corrected) {
    curvature::KroneckerOperator op(factors, risk.network().params(), {.of = {.ekfac = corrected}});
    std::vector<double> v(static_cast<size_t>(op.dim()), 1.0), out(v.size());
    return medians({[&] { op.apply(v, out); }}).front();
  };
  const nlohmann::json times = {
      {"kfac", kfac}, {"ekfac", ekfac}, {"kfac_product", product(false)}, {"ekfac_product", product(true)}};
  std::printf("%s\n", times.dump().c_str());
}

}  // namespace
}  // namespace ritzflow

int main(int argc, char** argv) {
  using namespace ritzflow;
  spdlog::set_level(spdlog::level::warn);
  at::set_num_threads(1);
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  if (argc == 5) {
    point(argv);
  } else {
    table();
  }
  return 0;
}
