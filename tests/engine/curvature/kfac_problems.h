#pragma once
#include <filesystem>
#include <map>

#include "curvature/kfac/kfac.h"
#include "curvature/kfac/kfac_collect.h"
#include "curvature/operators/ggn.h"
#include "model/autodiff/layers.h"
#include "model/networks/networks.h"
#include "problems.h"

namespace ritzflow::curvature::test {

using Risk = std::shared_ptr<const problem::EmpiricalRisk>;

inline problem::Dataset labelled(int64_t samples, int64_t classes = 3) {
  return dataset(random_matrix(samples, 4, 1), random_labels(samples, classes, 2), classes);
}

inline problem::Dataset regression(int64_t samples) {
  return dataset(random_matrix(samples, 4, 1), random_matrix(samples, 3, 2), 3);
}

inline Risk make_risk(std::shared_ptr<const model::Network> network, const problem::Dataset& data,
                      int64_t batch_size = 3) {
  const at::Tensor theta = random_matrix(network->params().size(), 1, 99).reshape({-1}) * 0.5;
  const std::string loss = data.task == problem::Task::regression ? "mse" : "cross_entropy";
  return std::make_shared<const problem::EmpiricalRisk>(
      std::move(network), model::make_loss(loss), data, theta,
      problem::RiskOptions{.batch_size = batch_size, .dtype = at::kDouble});
}

inline Eigen::MatrixXd kfac_matrix(const problem::EmpiricalRisk& risk, const KfacOptions& options,
                                   const KroneckerOptions& how = {}) {
  KroneckerOperator op(collect_kfac(risk, options), risk.network().params(), how);
  return dense(op);
}

/// `a` with everything outside the layers' diagonal blocks set to 0; a layer is a name without its last part.
inline Eigen::MatrixXd block_diagonal(const Eigen::MatrixXd& a, const model::ParamSpace& space) {
  Eigen::MatrixXd blocks = Eigen::MatrixXd::Zero(a.rows(), a.cols());
  const auto layer = [](const model::Parameter& p) { return p.name.substr(0, p.name.rfind('.')); };
  for (const auto& p : space.parameters()) {
    for (const auto& q : space.parameters()) {
      if (layer(p) == layer(q)) {
        blocks.block(p.offset, q.offset, p.size, q.size) = a.block(p.offset, q.offset, p.size, q.size);
      }
    }
  }
  return blocks;
}

inline Eigen::MatrixXd ggn_blocks(const Risk& risk) {
  return block_diagonal(dense(*make_ggn(risk)), risk->network().params());
}

inline double error(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) { return (a - b).norm() / b.norm(); }

/// z = W2 W1 x at each of T positions, each with a loss of its own (`mean` false), or their mean with one.
class PositionwiseLinear : public model::Network {
 public:
  PositionwiseLinear(int64_t in, int64_t hidden, int64_t out, bool mean)
      : first_(model::add_linear(params_, "first", in, hidden, true)),
        second_(model::add_linear(params_, "second", hidden, out, true)),
        mean_(mean) {}

  at::Tensor features(const model::ParamTensors& theta, const at::Tensor& x) const override {
    model::Taps unused;
    return forward_with_taps(theta, x, unused);
  }
  at::Tensor forward_with_taps(const model::ParamTensors& theta, const at::Tensor& x,
                               model::Taps& taps) const override {
    const at::Tensor z = model::linear(second_, theta, model::linear(first_, theta, x, &taps), &taps);
    return mean_ ? z.mean(1) : z.flatten(0, 1);
  }
  void initialize(uint64_t, VectorSpan) const override {}

 private:
  model::Layer first_, second_;
  bool mean_;
};

inline Risk positionwise_risk(bool mean) {
  const int64_t samples = 5, positions = 3, in = 4, out = 2;
  const int64_t rows = mean ? samples : samples * positions;
  problem::Dataset data =
      dataset(random_matrix(samples, positions * in, 1), random_matrix(rows, out, 2), out);
  data.inputs = data.inputs.view({samples, positions, in});
  data.weights = at::ones({rows}, at::kDouble);
  data.rows_per_sample = mean ? 1 : positions;
  data.total_weight = static_cast<double>(rows);
  return make_risk(std::make_shared<PositionwiseLinear>(in, 3, out, mean), data, 2);
}

inline std::shared_ptr<const model::Network> image_network(const std::string& norm,
                                                           const std::string& activation = "tanh") {
  return model::make_network(
      {{"kind", "cnn"}, {"channels", {4}}, {"norm", norm}, {"groups", 2}, {"activation", activation}},
      {{2, 4, 4}, 3, false});
}

inline problem::Dataset images(int64_t samples) {
  problem::Dataset data = labelled(samples);
  data.inputs = random_matrix(samples, 2 * 4 * 4, 7).view({samples, 2, 4, 4});
  data.shape = {{2, 4, 4}, 3, false};
  return data;
}

inline Risk image_risk(const std::string& norm, int64_t batch_size = 2, int64_t samples = 5) {
  return make_risk(image_network(norm), images(samples), batch_size);
}

inline problem::Dataset sentences() {
  const int64_t samples = 4, context = 3, vocabulary = 5;
  problem::Dataset data = dataset(at::zeros({samples, context}, at::kLong),
                                  random_labels(samples * context, vocabulary, 3), vocabulary);
  data.inputs = random_labels(samples * context, vocabulary, 4).view({samples, context});
  data.weights = at::ones({samples * context}, at::kDouble);
  data.weights[1] = 0;
  data.shape = {{context}, vocabulary, true};
  data.rows_per_sample = context;
  data.total_weight = data.weights.sum().item<double>();
  data.task = problem::Task::language_modeling;
  return data;
}

inline std::shared_ptr<const model::Network> language_network(bool tied) {
  return model::make_network({{"kind", "transformer"},
                              {"layers", 1},
                              {"heads", 2},
                              {"d_model", 4},
                              {"mlp_ratio", 2},
                              {"tie_embeddings", tied}},
                             sentences().shape);
}

inline Risk language_risk(bool tied, int64_t batch_size = 2) {
  return make_risk(language_network(tied), sentences(), batch_size);
}

/// z = W2 tanh(W1 x + b1) + b2, of which K-FAC sees the first layer alone: 35 of 59 elements.
class HalfTapped : public model::Network {
 public:
  HalfTapped()
      : first_(model::add_linear(params_, "first", 4, 7, true)),
        second_(model::add_linear(params_, "second", 7, 3, true)) {}

  at::Tensor features(const model::ParamTensors& theta, const at::Tensor& x) const override {
    model::Taps unused;
    return forward_with_taps(theta, x, unused);
  }
  at::Tensor forward_with_taps(const model::ParamTensors& theta, const at::Tensor& x,
                               model::Taps& taps) const override {
    return model::linear(second_, theta, at::tanh(model::linear(first_, theta, x, &taps)));
  }
  void initialize(uint64_t, VectorSpan) const override {}

 private:
  model::Layer first_, second_;
};

inline Risk half_tapped_risk() { return make_risk(std::make_shared<HalfTapped>(), labelled(5)); }

}  // namespace ritzflow::curvature::test
