#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "model/autodiff/network.h"

/// The built-in kinds of network, one file each; make_network() chooses among them. Keys are shown with their
/// defaults.
namespace ritzflow::model {

/// {kind: mlp, hidden: [64, 64], activation: tanh, bias: true}. Inputs of any shape are flattened.
/// h_0 = x, h_{l+1} = activation(W_l h_l + b_l), z = W_L h_L + b_L; `hidden: []` is a linear model.
/// Parameters `layers.<l>.weight` [out, in], `layers.<l>.bias` [out].
std::unique_ptr<Network> make_mlp(const nlohmann::json& architecture, const DataShape& shape);

/// {kind: cnn, channels: [8, 16], norm: none|group, groups: 4, pooling: max|avg|none, activation: relu}.
/// Images [C, H, W] or [H, W]. A block is a 3 x 3 convolution, the norm, the activation, and 2 x 2 pooling
/// while both sides are at least 2; the last block is flattened into a linear head. Parameters
/// `blocks.<i>.conv.*`, `blocks.<i>.norm.*`, `head.*`.
std::unique_ptr<Network> make_cnn(const nlohmann::json& architecture, const DataShape& shape);

/// {kind: transformer, layers: 2, heads: 2, d_model: 32, mlp_ratio: 4, activation: gelu, tie_embeddings:
/// true}. Decoder-only language model with learned positions and pre-LayerNorm blocks:
///   h <- h + proj(attention(ln_1(h))),  h <- h + proj(activation(fc(ln_2(h)))),  z = ln_f(h) E'
/// with E the token embedding if tied, else `head.weight`. Attention is causal.
/// Parameters `token_embedding.weight` [V, d], `position_embedding.weight` [T, d],
/// `blocks.<i>.{ln_1,attn.qkv,attn.proj,ln_2,mlp.fc,mlp.proj}.*`, `ln_f.*`, `head.weight` [V, d].
std::unique_ptr<Network> make_transformer(const nlohmann::json& architecture, const DataShape& shape);

/// The built-in network described by `architecture` (configs/README.md, "architecture").
/// Throws InputError on an unknown key or kind, and where the data do not fit.
std::unique_ptr<Network> make_network(const nlohmann::json& architecture, const DataShape& shape);

}  // namespace ritzflow::model
