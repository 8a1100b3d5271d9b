#include <functional>
#include <numeric>

#include "core/error.h"
#include "model/autodiff/layers.h"
#include "model/networks/activation.h"
#include "model/networks/networks.h"
#include "model/networks/settings.h"

namespace ritzflow::model {
namespace {

class Mlp : public Network {
 public:
  Mlp(const std::vector<int64_t>& widths, Activation activation, bool bias) : activation_(activation) {
    for (size_t l = 0; l + 1 < widths.size(); ++l) {
      layers_.push_back(add_linear(params_, "layers." + std::to_string(l), widths[l], widths[l + 1], bias));
    }
  }

  at::Tensor features(const ParamTensors& theta, const at::Tensor& inputs) const override {
    return evaluate(theta, inputs, nullptr);
  }

  std::optional<Layer> output_layer() const override { return layers_.back(); }

  at::Tensor forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs,
                               Taps& taps) const override {
    return linear(layers_.back(), theta, evaluate(theta, inputs, &taps), &taps);
  }

  void initialize(uint64_t seed, VectorSpan theta) const override {
    Initializer init(params_, seed, theta);
    for (const Layer& layer : layers_) init.uniform(layer);
  }

 private:
  at::Tensor evaluate(const ParamTensors& theta, const at::Tensor& inputs, Taps* taps) const {
    at::Tensor h = inputs.to(theta.front().scalar_type()).flatten(1);
    for (size_t l = 0; l + 1 < layers_.size(); ++l) h = activation_(linear(layers_[l], theta, h, taps));
    return h;
  }

  Activation activation_;
  std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<Network> make_mlp(const nlohmann::json& architecture, const DataShape& shape) {
  const Settings keys(architecture, "architecture", {"kind", "hidden", "activation", "bias"});
  if (shape.tokens) {
    throw InputError("architecture.kind mlp needs real-valued inputs; the data hold tokens: use transformer");
  }
  std::vector<int64_t> widths = keys.sizes("hidden", {64, 64});
  const auto& input = shape.input_shape;
  const int64_t features = std::accumulate(input.begin(), input.end(), int64_t{1}, std::multiplies<>());
  widths.insert(widths.begin(), features);
  widths.push_back(shape.outputs);
  const std::string activation = keys.choice("activation", activation_names(), "tanh");
  return std::make_unique<Mlp>(widths, make_activation(activation), keys.flag("bias", true));
}

}  // namespace ritzflow::model
