#include "model/training/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "model/training/training.h"

namespace ritzflow::model {
namespace {

class Sgd : public Optimizer {
 public:
  Sgd(const TrainingOptions& options, const at::Tensor& theta)
      : momentum_(options.momentum), velocity_(at::zeros_like(theta)) {}

  void update(at::Tensor& theta, const at::Tensor& g, int64_t, double rate) override {
    velocity_.mul_(momentum_).add_(g);
    theta.sub_(velocity_, rate);
  }
  std::vector<at::Tensor> state() override { return {velocity_}; }

 private:
  double momentum_;
  at::Tensor velocity_;
};

class Adam : public Optimizer {
 public:
  explicit Adam(const at::Tensor& theta) : mean_(at::zeros_like(theta)), square_(at::zeros_like(theta)) {}

  void update(at::Tensor& theta, const at::Tensor& g, int64_t t, double rate) override {
    mean_.mul_(beta1).add_(g, 1 - beta1);
    square_.mul_(beta2).addcmul_(g, g, 1 - beta2);
    const double mean_bias = 1 - std::pow(beta1, t), square_bias = 1 - std::pow(beta2, t);
    theta.addcdiv_(mean_, (square_ / square_bias).sqrt_().add_(eps), -rate / mean_bias);
  }
  std::vector<at::Tensor> state() override { return {mean_, square_}; }

 private:
  static constexpr double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  at::Tensor mean_, square_;
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const TrainingOptions& options, const at::Tensor& theta) {
  if (options.optimizer == "adam") return std::make_unique<Adam>(theta);
  return std::make_unique<Sgd>(options, theta);
}

}  // namespace ritzflow::model
