#pragma once
#include <ATen/ATen.h>

#include <Eigen/Dense>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/kernels.h"
#include "core/philox.h"
#include "krylov/process/linear_operator.h"
#include "model/networks/networks.h"
#include "problem/empirical_risk.h"

namespace ritzflow::curvature::test {

/// `rows` x `columns` standard normal numbers.
inline at::Tensor random_matrix(int64_t rows, int64_t columns, uint64_t seed) {
  at::Tensor x = at::empty({rows, columns}, at::kDouble);
  Philox(seed, "tests", "matrix").fill_normal({x.data_ptr<double>(), static_cast<size_t>(x.numel())});
  return x;
}

inline std::vector<double> random_vector(int64_t n, uint64_t seed) {
  std::vector<double> v(static_cast<size_t>(n));
  Philox(seed, "tests", "vector").fill_normal(v);
  return v;
}

/// inputs [N, d] and targets: class indices [N], or values [N, C].
inline problem::Dataset dataset(const at::Tensor& inputs, const at::Tensor& targets, int64_t outputs) {
  problem::Dataset data;
  data.inputs = inputs;
  data.targets = targets;
  data.weights = at::ones({inputs.size(0)}, at::kDouble);
  data.task = targets.is_floating_point() ? problem::Task::regression : problem::Task::classification;
  data.shape = {{inputs.size(1)}, outputs, false};
  data.num_classes = outputs;
  data.samples = inputs.size(0);
  data.total_weight = static_cast<double>(data.samples);
  return data;
}

inline at::Tensor random_labels(int64_t rows, int64_t classes, uint64_t seed) {
  return random_matrix(rows, 1, seed).abs().mul(1000).to(at::kLong).remainder(classes).reshape({-1});
}

struct MlpOptions {
  std::vector<int64_t> hidden = {};
  std::string activation = "tanh";
  bool bias = false;
  double scale = 0.5;  ///< standard deviation of theta
  int64_t batch_size = 3;
};

inline std::shared_ptr<const problem::EmpiricalRisk> mlp_risk(const problem::Dataset& data,
                                                              const MlpOptions& options) {
  const nlohmann::json architecture = {{"kind", "mlp"},
                                       {"hidden", options.hidden},
                                       {"activation", options.activation},
                                       {"bias", options.bias}};
  const std::shared_ptr<const model::Network> network = model::make_network(architecture, data.shape);
  const at::Tensor theta = random_matrix(network->params().size(), 1, 99).reshape({-1}) * options.scale;
  const std::string loss = data.task == problem::Task::regression ? "mse" : "cross_entropy";
  return std::make_shared<const problem::EmpiricalRisk>(
      network, model::make_loss(loss), data, theta,
      problem::RiskOptions{.batch_size = options.batch_size, .dtype = at::kDouble});
}

inline std::vector<double> product(krylov::LinearOperator& op, const std::vector<double>& v) {
  std::vector<double> out(v.size());
  op.apply(v, out);
  return out;
}

inline double relative_error(const std::vector<double>& actual, const std::vector<double>& expected) {
  std::vector<double> gap = actual;
  for (size_t i = 0; i < gap.size(); ++i) gap[i] -= expected[i];
  return norm(gap) / norm(expected);
}

inline Eigen::MatrixXd dense(krylov::LinearOperator& op) {
  const auto n = static_cast<Eigen::Index>(op.dim());
  Eigen::MatrixXd a(n, n);
  std::vector<double> unit(static_cast<size_t>(n));
  for (Eigen::Index j = 0; j < n; ++j) {
    unit[static_cast<size_t>(j)] = 1;
    op.apply(unit, {a.col(j).data(), unit.size()});
    unit[static_cast<size_t>(j)] = 0;
  }
  return a;
}

/// Row-major [N, d] as an Eigen matrix.
inline Eigen::MatrixXd eigen(const at::Tensor& x) {
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(x.data_ptr<double>(), x.size(0), x.size(1));
}

/// Ascending.
inline Eigen::VectorXd eigenvalues(const Eigen::MatrixXd& a) {
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(a).eigenvalues();
}

}  // namespace ritzflow::curvature::test
