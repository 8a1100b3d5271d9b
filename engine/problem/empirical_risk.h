#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "core/vector.h"
#include "model/autodiff/network.h"
#include "model/loss.h"
#include "problem/dataset.h"

namespace ritzflow::problem {

/// Consecutive samples of the data set in the compute dtype: one micro-batch, linearised as a whole.
struct Batch {
  at::Tensor inputs, targets, weights;
  int64_t first_row = 0;  ///< index of its first row in the data set
};

struct RiskOptions {
  int64_t batch_size = 0;             ///< samples in a micro-batch; the last one may be smaller
  at::ScalarType dtype = at::kFloat;  ///< float32 or float64: what networks and products compute in; or
                                      ///< bfloat16: of the features, the rest in float32
  model::Lifetime lifetime =
      model::Lifetime::many_products;  ///< of linearizations: kept between products or recomputed
  int64_t in_flight = 1 << 20;         ///< micro-batches that may be at work at once
  int compute_threads = 1;             ///< of one micro-batch, inside LibTorch; changes bits
  at::Device device = at::kCPU;        ///< where theta, data and products are
};

/// The empirical risk at a point: where curvature is taken.
///
///   L(theta) = (1/W) sum_i w_i l(f(theta, x_i), y_i),   W = sum_i w_i.
///
/// The average is over weights, never over batches, so that it is exact for any cut into micro-batches. Those
/// run in parallel with `compute_threads` each, and are summed in float64 in the order of the batches: no
/// bit depends on how many run at once. On a device other than the CPU they run one after the other, and
/// vectors come from host memory and return there: a product waits for the device once.
class EmpiricalRisk {
 public:
  /// `theta` [n] float64. Throws InputError on a batch size below 1 or another dtype.
  EmpiricalRisk(std::shared_ptr<const model::Network> network, std::shared_ptr<const model::Loss> loss,
                const Dataset& data, const at::Tensor& theta, const RiskOptions& options);

  /// Number n of parameters.
  int64_t dim() const { return network_->params().size(); }
  int64_t samples() const { return samples_; }
  /// Terms of the loss with a weight above 0: samples, or tokens in language modelling.
  int64_t counted_rows() const;
  int64_t batches() const { return (samples_ + options_.batch_size - 1) / options_.batch_size; }
  Batch batch(int64_t b) const;

  /// The same risk, cut into micro-batches and worked off in another way.
  EmpiricalRisk cut(int64_t batch_size, model::Lifetime lifetime, int64_t in_flight) const;

  /// The sum over the first `count` samples alone, divided by the W of all, as one micro-batch.
  EmpiricalRisk first_samples(int64_t count, model::Lifetime lifetime) const;

  const model::Network& network() const { return *network_; }
  const model::Loss& loss_function() const { return *loss_; }
  /// W, the sum of all weights.
  double total_weight() const { return total_weight_; }
  /// Terms of the loss that a sample has: 1, or its tokens.
  int64_t rows_per_sample() const { return rows_per_sample_; }
  /// theta in the dtype of vectors: float32 or float64.
  const model::ParamTensors& theta() const { return theta_; }
  const RiskOptions& options() const { return options_; }

  /// Bytes of theta and of the data set, which lie where products run.
  int64_t resident_bytes() const;

  /// L(theta).
  double loss() const;
  /// out <- grad L(theta) [n].
  void gradient(VectorSpan out) const;

  /// A copy of v [n] in the dtype of theta on its device, and as tensors of the parameters' shapes.
  at::Tensor flat(VectorView v) const;
  model::ParamTensors tensors(VectorView v) const;

  using BatchProduct = std::function<model::ParamTensors(int64_t batch)>;
  /// out <- (1/W) sum_b product(b), the primitive under every operator. At most a few results are held at
  /// once.
  void accumulate(const BatchProduct& product, VectorSpan out) const;

 private:
  std::shared_ptr<const model::Network> network_;
  std::shared_ptr<const model::Loss> loss_;
  RiskOptions options_;
  at::Tensor inputs_, targets_, weights_;
  int64_t samples_, rows_per_sample_;
  double total_weight_;
  model::ParamTensors theta_;
};

}  // namespace ritzflow::problem
