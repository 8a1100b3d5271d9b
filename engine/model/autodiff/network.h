#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/vector.h"
#include "model/autodiff/param_space.h"
#include "model/autodiff/taps.h"
#include "settings/choices.h"

namespace ritzflow::model {

class HessianLinearization;
class Linearization;
class Loss;

/// What a network must fit: the shape of one input (tokens: {context}), the number of outputs C
/// (classes, vocabulary or regression targets), and whether inputs are token indices.
struct DataShape {
  std::vector<int64_t> input_shape;
  int64_t outputs = 0;
  bool tokens = false;
};

/// Whether what a linearization prepares will be used once or is kept.
enum class Lifetime { one_product, many_products };

/// A model as a pure function of its parameters: z = f(theta, x). It stores no parameter and draws no random
/// number, so that one object serves all points, batches and threads. It is made of features h [rows, d] and
/// an output layer z = h W' + b, which is kept apart so that logits need never exist all at once.
class Network {
 public:
  virtual ~Network() = default;

  const ParamSpace& params() const { return params_; }

  /// h [rows, d]; rows = samples, or samples x tokens (row-major) for a language model. The logits themselves
  /// where there is no output layer.
  virtual at::Tensor features(const ParamTensors& theta, const at::Tensor& inputs) const = 0;

  /// The linear layer after the features, which may use its weight as well (tied embeddings).
  virtual std::optional<Layer> output_layer() const { return std::nullopt; }

  /// Logits z [rows, C], all of them.
  at::Tensor forward(const ParamTensors& theta, const at::Tensor& inputs) const;

  /// The same z, and appends to `taps` every use of a layer that K-FAC knows. A network that hands out none
  /// (the default) has no Kronecker factors: its parameters are reported as not covered.
  virtual at::Tensor forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs, Taps& taps) const;

  /// The features at a point, linearised; by autograd unless the network brings its own.
  virtual std::unique_ptr<Linearization> linearize(const ParamTensors& theta, const at::Tensor& inputs,
                                                   Lifetime lifetime) const;

  /// The gradient of sum_i w_i l(z_i, y_i) at a point, linearised.
  virtual std::unique_ptr<HessianLinearization> linearize_gradient(
      const Loss& loss, const ParamTensors& theta, const at::Tensor& inputs, const at::Tensor& targets,
      const at::Tensor& weights, HessianMode mode) const;

  /// Starting point of training, drawn from the counter-based generator keyed by `seed`.
  virtual void initialize(uint64_t seed, VectorSpan theta) const = 0;

 protected:
  ParamSpace params_;
};

}  // namespace ritzflow::model
