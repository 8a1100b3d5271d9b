#pragma once
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/words.h"

namespace ritzflow::model {

/// A weight and, where there is one, a bias: indices into the ParamSpace. Layers hold no tensors.
struct Layer {
  size_t weight;
  std::optional<size_t> bias;
};

/// How a layer's output depends on its parameters, at each of R positions of a sample:
///   linear       y = W a + b;
///   convolution  the same, with a the patch under the kernel at one pixel;
///   embedding    y = row a of the table W, a an index;
///   norm         y = w o a + b, a the normalised input; or y = w o a alone.
enum class LayerKind { linear, convolution, embedding, norm };

}  // namespace ritzflow::model

namespace ritzflow {

template <>
struct Words<model::LayerKind> {
  using enum model::LayerKind;
  static constexpr auto all = word_list<model::LayerKind>(
      {{linear, "linear"}, {convolution, "convolution"}, {embedding, "embedding"}, {norm, "norm"}});
};

}  // namespace ritzflow

namespace ritzflow::model {

/// A layer's inputs or outputs [N, ..., d] as [N, R, d], images [N, C, H, W] as [N, H W, C].
at::Tensor by_position(const at::Tensor& x, int64_t samples);

/// A part of a parameter as a matrix: element (i, j) is its element offset + i row_stride + j column_stride.
struct Piece {
  size_t parameter;
  int64_t offset, rows, row_stride, columns, column_stride;
};

/// One use of a layer in a forward pass of N samples: what K-FAC needs to know of it.
struct Tap {
  LayerKind kind;
  Layer layer;
  /// a: [N, ..., in]; images [N, C, H, W] of a convolution, which unfold3x3() turns into patches; indices
  /// [N, R] of an embedding; of a norm the shape of the output.
  at::Tensor input;
  /// y, part of the graph, so that gradients with respect to it can be asked for: [N, ..., out] or images.
  at::Tensor output;
  /// The weight is a token embedding and also the output layer: both uses are marked.
  bool tied = false;
  /// Names of equal parts of the output side by side, where the layer is several that share their input (a
  /// fused query, key and value).
  std::vector<std::string> parts = {};
  /// Layers side by side, each with its own equal part of inputs and outputs: a grouped convolution.
  int64_t groups = 1;
  /// Where [W, b] is not made of the whole parameters [out, -1]: its pieces side by side. Of groups the first
  /// one's; those of group j lie j / groups of each parameter further.
  std::vector<Piece> pieces = {};
  /// What to call the layer; empty: after its weight.
  std::string name = {};
};

using Taps = std::vector<Tap>;

}  // namespace ritzflow::model
