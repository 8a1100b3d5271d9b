#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "model/autodiff/layers.h"
#include "model/networks/activation.h"
#include "model/networks/networks.h"
#include "model/networks/settings.h"

namespace ritzflow::model {
namespace {

struct TransformerOptions {
  int64_t layers, heads, d_model, mlp_ratio;
  Activation activation;
  bool tie_embeddings;
};

struct Block {
  Layer ln_1, qkv, attention_out, ln_2, fc, mlp_out;
};

Block add_block(ParamSpace& params, const std::string& name, int64_t d, int64_t mlp_width) {
  // Braced initialisers are evaluated in order, which is the order of the flat vector.
  return {add_norm(params, name + ".ln_1", d),
          add_linear(params, name + ".attn.qkv", d, 3 * d, true),
          add_linear(params, name + ".attn.proj", d, d, true),
          add_norm(params, name + ".ln_2", d),
          add_linear(params, name + ".mlp.fc", d, mlp_width, true),
          add_linear(params, name + ".mlp.proj", mlp_width, d, true)};
}

/// Causal self-attention of q, k, v [N, heads, T, d_head] as matmul, softmax, matmul: LibTorch's fused
/// kernels have no second derivative.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
  const at::Tensor future = at::ones({q.size(2), q.size(2)}, q.options().dtype(at::kBool)).triu(1);
  const at::Tensor scores = at::matmul(q * scale, k.transpose(2, 3));
  return at::matmul(softmax(scores.masked_fill(future, -std::numeric_limits<double>::infinity())), v);
}

class Transformer : public Network {
 public:
  Transformer(const TransformerOptions& options, int64_t context, int64_t vocabulary) : options_(options) {
    const int64_t d = options.d_model;
    tokens_ = params_.add("token_embedding.weight", {vocabulary, d});
    positions_ = params_.add("position_embedding.weight", {context, d});
    for (int64_t i = 0; i < options.layers; ++i) {
      blocks_.push_back(add_block(params_, "blocks." + std::to_string(i), d, options.mlp_ratio * d));
    }
    final_norm_ = add_norm(params_, "ln_f", d);
    head_ = options.tie_embeddings ? tokens_ : params_.add("head.weight", {vocabulary, d});
  }

  at::Tensor features(const ParamTensors& theta, const at::Tensor& inputs) const override {
    return evaluate(theta, inputs, nullptr).flatten(0, 1);
  }

  std::optional<Layer> output_layer() const override { return Layer{head_, std::nullopt}; }

  at::Tensor forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs,
                               Taps& taps) const override {
    const at::Tensor z = linear(*output_layer(), theta, evaluate(theta, inputs, &taps), &taps);
    taps.back().tied = options_.tie_embeddings;
    return z.flatten(0, 1);
  }

  // Radford et al. 2019: sd 0.02, and 0.02 / sqrt(2 layers) where a block writes into the residual stream.
  void initialize(uint64_t seed, VectorSpan theta) const override {
    constexpr double sd = 0.02;
    const double residual_sd = sd / std::sqrt(2.0 * static_cast<double>(options_.layers));
    Initializer init(params_, seed, theta);
    for (const size_t table : {tokens_, positions_, head_}) init.normal(table, sd);
    for (const Block& block : blocks_) {
      for (const Layer& layer : {block.ln_1, block.ln_2}) init.norm(layer);
      for (const Layer& layer : {block.qkv, block.fc}) init.normal(layer, sd);
      for (const Layer& layer : {block.attention_out, block.mlp_out}) init.normal(layer, residual_sd);
    }
    init.norm(final_norm_);
  }

 private:
  /// Features [N, T, d].
  at::Tensor evaluate(const ParamTensors& theta, const at::Tensor& inputs, Taps* taps) const {
    at::Tensor h = embed(theta, inputs, taps);
    for (const Block& block : blocks_) {
      h = h + attention(block, theta, layer_norm(block.ln_1, theta, h, taps), taps);
      const at::Tensor inner = linear(block.fc, theta, layer_norm(block.ln_2, theta, h, taps), taps);
      h = h + linear(block.mlp_out, theta, options_.activation(inner), taps);
    }
    return layer_norm(final_norm_, theta, h, taps);
  }

  /// Token plus position, [N, T, d].
  at::Tensor embed(const ParamTensors& theta, const at::Tensor& tokens, Taps* taps) const {
    const int64_t samples = tokens.size(0), context = tokens.size(1);
    const at::Tensor token = embedding({tokens_, std::nullopt}, theta, tokens, taps);
    if (taps) taps->back().tied = options_.tie_embeddings;
    at::Tensor position = theta[positions_].slice(0, 0, context);
    if (taps) {  // a separate row for each sample, so that gradients can be separated
      position = position.expand({samples, context, options_.d_model});
      const at::Tensor indices = at::arange(context, tokens.options()).expand({samples, context});
      taps->push_back({LayerKind::embedding, {positions_, std::nullopt}, indices, position});
    }
    return token + position;
  }

  at::Tensor attention(const Block& block, const ParamTensors& theta, const at::Tensor& x, Taps* taps) const {
    const int64_t n = x.size(0), t = x.size(1), d = options_.d_model, heads = options_.heads;
    // [N, T, 3 d] -> 3 x [N, heads, T, d / heads]
    const at::Tensor fused = linear(block.qkv, theta, x, taps);
    if (taps) taps->back().parts = {"query", "key", "value"};
    const at::Tensor qkv = fused.view({n, t, 3, heads, d / heads}).permute({2, 0, 3, 1, 4});
    const at::Tensor mixed = attend(qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2));
    return linear(block.attention_out, theta, mixed.transpose(1, 2).reshape({n, t, d}), taps);
  }

  TransformerOptions options_;
  size_t tokens_, positions_, head_;
  std::vector<Block> blocks_;
  Layer final_norm_{};
};

}  // namespace

std::unique_ptr<Network> make_transformer(const nlohmann::json& architecture, const DataShape& shape) {
  const Settings keys(architecture, "architecture",
                      {"kind", "layers", "heads", "d_model", "mlp_ratio", "activation", "tie_embeddings"});
  if (!shape.tokens) {
    throw InputError("architecture.kind transformer needs tokens (task language_modeling); use mlp or cnn");
  }
  TransformerOptions options{keys.integer("layers", 1, 2),
                             keys.integer("heads", 1, 2),
                             keys.integer("d_model", 1, 32),
                             keys.integer("mlp_ratio", 1, 4),
                             make_activation(keys.choice("activation", activation_names(), "gelu")),
                             keys.flag("tie_embeddings", true)};
  if (options.d_model % options.heads != 0) {
    throw InputError("architecture.d_model " + std::to_string(options.d_model) +
                     " must be a multiple of architecture.heads " + std::to_string(options.heads));
  }
  return std::make_unique<Transformer>(options, shape.input_shape.at(0), shape.outputs);
}

}  // namespace ritzflow::model
