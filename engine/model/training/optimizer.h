#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace ritzflow::model {

struct TrainingOptions;

/// One update rule on the flat parameter vector.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// theta <- theta - (step made from g), in place; g [n] is the gradient of the regularised loss, t = 1, 2,
  /// ... the number of the update, `rate` its learning rate.
  virtual void update(at::Tensor& theta, const at::Tensor& g, int64_t t, double rate) = 0;

  /// All that it carries from update to update, [n] each; the tensors share its memory.
  virtual std::vector<at::Tensor> state() = 0;
};

/// sgd and gd: v <- momentum v + g, theta <- theta - learning_rate v.
/// adam: Kingma and Ba, ICLR 2015, with beta 0.9 and 0.999 and eps 1e-8.
std::unique_ptr<Optimizer> make_optimizer(const TrainingOptions& options, const at::Tensor& theta);

}  // namespace ritzflow::model
