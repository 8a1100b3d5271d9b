#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/vector.h"
#include "model/param_space.h"
#include "model/taps.h"

namespace ritzflow {

/// What a network must fit: the shape of one input (tokens: {context}), the number of outputs C
/// (classes, vocabulary or regression targets), and whether inputs are token indices.
struct DataShape {
  std::vector<int64_t> input_shape;
  int64_t outputs = 0;
  bool tokens = false;
};

/// A model as a pure function of its parameters: z = f(theta, x). It stores no parameter and draws no random
/// number in `forward`, so that one object serves all points, batches and threads.
class Network {
 public:
  virtual ~Network() = default;

  const ParamSpace& params() const { return params_; }

  /// Logits z [rows, C]; rows = samples, or samples x tokens (row-major) for a language model.
  virtual at::Tensor forward(const ParamTensors& theta, const at::Tensor& inputs) const = 0;

  /// The same z, and appends to `taps` every use of a layer that K-FAC knows. A network that hands out none
  /// (the default) has no Kronecker factors: its parameters are reported as not covered.
  virtual at::Tensor forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs, Taps& taps) const;

  /// Starting point of training, drawn from the counter-based generator keyed by `seed`.
  virtual void initialize(uint64_t seed, VectorSpan theta) const = 0;

 protected:
  ParamSpace params_;
};

/// The built-in network described by `architecture` (configs/README.md, "architecture").
/// Throws InputError on an unknown key or kind, and where the data do not fit.
std::unique_ptr<Network> make_network(const nlohmann::json& architecture, const DataShape& shape);

}  // namespace ritzflow
