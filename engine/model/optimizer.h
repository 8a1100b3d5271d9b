#pragma once
#include <ATen/core/Tensor.h>

#include <memory>

namespace ritzflow {

struct TrainingOptions;

/// One update rule on the flat parameter vector.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// theta <- theta - (step made from g), in place; g [n] is the gradient of the regularised loss.
  virtual void update(at::Tensor& theta, const at::Tensor& g) = 0;
};

/// sgd: v <- momentum v + g, theta <- theta - learning_rate v.
/// adam: Kingma and Ba, ICLR 2015, with beta 0.9 and 0.999 and eps 1e-8.
std::unique_ptr<Optimizer> make_optimizer(const TrainingOptions& options, const at::Tensor& theta);

}  // namespace ritzflow
