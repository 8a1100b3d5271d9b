#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/max_pool2d.h>

#include "core/error.h"
#include "model/autodiff/layers.h"
#include "model/networks/activation.h"
#include "model/networks/networks.h"
#include "model/networks/settings.h"

namespace ritzflow::model {
namespace {

struct CnnOptions {
  std::vector<int64_t> channels;
  int64_t groups = 0;  ///< 0: no norm
  std::string pooling;
  Activation activation = nullptr;
};

struct Block {
  Layer conv;
  std::optional<Layer> norm;
  bool pooled = false;
};

struct ImageShape {
  int64_t channels, height, width;
};

class Cnn : public Network {
 public:
  Cnn(const CnnOptions& options, ImageShape image, int64_t outputs) : options_(options) {
    for (const int64_t width : options.channels) image = add_block(image, width);
    head_ = add_linear(params_, "head", image.channels * image.height * image.width, outputs, true);
  }

  at::Tensor features(const ParamTensors& theta, const at::Tensor& inputs) const override {
    return evaluate(theta, inputs, nullptr);
  }

  std::optional<Layer> output_layer() const override { return head_; }

  at::Tensor forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs,
                               Taps& taps) const override {
    return linear(head_, theta, evaluate(theta, inputs, &taps), &taps);
  }

  void initialize(uint64_t seed, VectorSpan theta) const override {
    Initializer init(params_, seed, theta);
    for (const Block& block : blocks_) {
      init.uniform(block.conv);
      if (block.norm) init.norm(*block.norm);
    }
    init.uniform(head_);
  }

 private:
  at::Tensor evaluate(const ParamTensors& theta, const at::Tensor& inputs, Taps* taps) const {
    at::Tensor h = inputs.to(theta.front().scalar_type());
    if (h.dim() == 3) h = h.unsqueeze(1);  // grey images [N, H, W] have one channel
    for (const Block& block : blocks_) h = apply(block, theta, h, taps);
    return h.flatten(1);
  }

  /// Appends a block of `width` channels and returns the shape of its images.
  ImageShape add_block(const ImageShape& in, int64_t width) {
    const std::string name = "blocks." + std::to_string(blocks_.size());
    Block block{add_conv3x3(params_, name + ".conv", in.channels, width), std::nullopt};
    if (options_.groups > 0) block.norm = add_norm(params_, name + ".norm", width);
    block.pooled = options_.pooling != "none" && in.height >= 2 && in.width >= 2;
    blocks_.push_back(block);
    const int64_t divisor = block.pooled ? 2 : 1;
    return {width, in.height / divisor, in.width / divisor};
  }

  at::Tensor apply(const Block& block, const ParamTensors& theta, const at::Tensor& x, Taps* taps) const {
    at::Tensor h = conv3x3(block.conv, theta, x, taps);
    if (block.norm) h = group_norm(*block.norm, theta, h, options_.groups, taps);
    h = options_.activation(h);
    if (!block.pooled) return h;
    return options_.pooling == "max" ? at::max_pool2d(h, 2) : at::avg_pool2d(h, 2);
  }

  CnnOptions options_;
  std::vector<Block> blocks_;
  Layer head_{};
};

ImageShape image_shape(const DataShape& shape) {
  const auto& s = shape.input_shape;
  if (shape.tokens || (s.size() != 2 && s.size() != 3)) {
    throw InputError(
        "architecture.kind cnn needs images: inputs of shape [N, C, H, W] or [N, H, W]; for other data use " +
        std::string(shape.tokens ? "transformer" : "mlp"));
  }
  return s.size() == 2 ? ImageShape{1, s[0], s[1]} : ImageShape{s[0], s[1], s[2]};
}

void check_groups(const CnnOptions& options) {
  for (const int64_t width : options.channels) {
    if (options.groups > 0 && width % options.groups != 0) {
      throw InputError("architecture.groups " + std::to_string(options.groups) +
                       " must divide every entry of architecture.channels; it does not divide " +
                       std::to_string(width));
    }
  }
}

}  // namespace

std::unique_ptr<Network> make_cnn(const nlohmann::json& architecture, const DataShape& shape) {
  const Settings keys(architecture, "architecture",
                      {"kind", "channels", "norm", "groups", "pooling", "activation"});
  CnnOptions options;
  options.channels = keys.sizes("channels", {8, 16});
  const int64_t groups = keys.integer("groups", 1, 4);
  if (keys.choice("norm", {"none", "group"}, "none") == "group") options.groups = groups;
  options.pooling = keys.choice("pooling", {"max", "avg", "none"}, "max");
  options.activation = make_activation(keys.choice("activation", activation_names(), "relu"));
  check_groups(options);
  return std::make_unique<Cnn>(options, image_shape(shape), shape.outputs);
}

}  // namespace ritzflow::model
