#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "core/philox.h"
#include "model/autodiff/linearization.h"
#include "model/networks/networks.h"

/// Small problems and reference derivatives shared by the tests of the model room.
namespace ritzflow::model::test {

/// One compute thread, as in every stage: tensors this small only wait for a second one.
inline const bool one_compute_thread = [] {
  at::set_num_threads(1);
  return true;
}();

/// Standard normal numbers of `shape`, float64.
inline at::Tensor random_normal(const std::string& purpose, at::IntArrayRef shape) {
  at::Tensor x = at::empty(shape, at::kDouble);
  Philox(1, "test", purpose).fill_normal({x.data_ptr<double>(), static_cast<size_t>(x.numel())});
  return x;
}

/// Integers 0 .. below - 1.
inline at::Tensor random_indices(const std::string& purpose, at::IntArrayRef shape, int64_t below) {
  at::Tensor x = at::empty(shape, at::kLong);
  const Philox random(1, "test", purpose);
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.data_ptr<int64_t>()[i] =
        static_cast<int64_t>(random.bits(static_cast<uint64_t>(i)) % static_cast<uint64_t>(below));
  }
  return x;
}

/// c' z + d' z^3 / 3 row by row: unlike the losses it is not convex, and unlike a sum of squares it is not
/// constant behind a norm, so that its Hessian sees every second derivative of the network.
class CubicLoss : public Loss {
 public:
  std::string name() const override { return "cubic"; }
  at::Tensor value(const at::Tensor& z, const at::Tensor&, const at::Tensor& w) const override {
    return ((c(z) * z + d(z) * z.pow(3) / 3).sum(1) * w).sum();
  }
  at::Tensor gradient(const at::Tensor& z, const at::Tensor&, const at::Tensor& w) const override {
    return (c(z) + d(z) * z.square()) * w.unsqueeze(1);
  }
  at::Tensor curvature(const at::Tensor& z, const at::Tensor&, const at::Tensor& w,
                       const at::Tensor& u) const override {
    return 2 * d(z) * z * u * w.unsqueeze(1);
  }
  Columns root_columns(const at::Tensor&, const at::Tensor&, const at::Tensor&) const override { return {}; }

 private:
  static at::Tensor c(const at::Tensor& z) { return random_normal("cubic c", z.sizes()); }
  static at::Tensor d(const at::Tensor& z) { return random_normal("cubic d", z.sizes()); }
};

/// A network with a point, a micro-batch with unequal weights, and a masked last row with label -100.
struct Problem {
  std::unique_ptr<Network> network;
  at::Tensor theta;  ///< [n] float64
  at::Tensor inputs, labels, values, weights;

  const at::Tensor& targets(const Loss& loss) const {
    return loss.name() == "mse" || loss.name() == "bce" ? values : labels;
  }
  int64_t rows() const { return weights.size(0); }
  ParamTensors tensors(const at::Tensor& flat) const { return network->params().blobs(flat); }
};

inline Problem make_problem(const nlohmann::json& architecture) {
  const auto kind = architecture.at("kind").get<std::string>();
  const int64_t samples = 4, outputs = 5;
  DataShape shape{{6}, outputs, kind == "transformer"};
  if (kind == "cnn") shape.input_shape = {2, 5, 4};
  Problem p;
  p.network = make_network(architecture, shape);
  p.theta = 0.4 * random_normal("theta", {p.network->params().size()});
  std::vector<int64_t> size = shape.input_shape;
  size.insert(size.begin(), samples);
  p.inputs = shape.tokens ? random_indices("tokens", size, outputs) : random_normal("inputs", size);
  const int64_t rows = shape.tokens ? samples * shape.input_shape[0] : samples;
  p.labels = random_indices("labels", {rows}, outputs);
  p.values = random_normal("values", {rows, outputs});
  p.weights = random_normal("weights", {rows}).abs();
  p.labels[-1] = -100;
  p.weights[-1] = 0;
  return p;
}

inline at::Tensor flatten(const ParamTensors& tensors) {
  std::vector<at::Tensor> parts;
  for (const auto& t : tensors) parts.push_back(t.reshape({-1}));
  return at::cat(parts);
}

inline double scalar_product(const at::Tensor& a, const at::Tensor& b) {
  return (a * b).sum().item<double>();
}

/// ||a - b|| / max(||b||, 1e-3): the floor keeps a vanishing reference from dividing by zero.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).norm().item<double>() / std::max(b.norm().item<double>(), 1e-3);
}

/// (f(theta + h v) - f(theta - h v)) / 2h, extrapolated from h and h/2: error O(h^4).
template <class F>
at::Tensor directional_derivative(const F& f, const at::Tensor& theta, const at::Tensor& v, double h = 1e-4) {
  const auto central = [&](double step) { return (f(theta + step * v) - f(theta - step * v)) / (2 * step); };
  return (4 * central(h / 2) - central(h)) / 3;
}

/// dL/dtheta of the weighted loss sum.
inline at::Tensor gradient_of(const Problem& p, const Loss& loss, const at::Tensor& theta) {
  LinearizedOutputs model(*p.network, p.tensors(theta), p.inputs, Lifetime::one_product);
  return flatten(model.vjp(loss_gradient(loss, p.targets(loss), p.weights)));
}

/// J v [rows, C], all of it.
inline at::Tensor jvp(LinearizedOutputs& model, const ParamTensors& v) {
  std::vector<at::Tensor> blocks;
  model.jvp(v, [&](const RowBlock&, const at::Tensor&, const at::Tensor& u) { blocks.push_back(u); });
  return at::cat(blocks);
}

/// J' w.
inline at::Tensor vjp(LinearizedOutputs& model, const at::Tensor& w) {
  return flatten(model.vjp([&](const RowBlock& rows, const at::Tensor&) { return rows.of(w); }));
}

}  // namespace ritzflow::model::test
