#include "curvature/kfac/kfac_factors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"

namespace ritzflow::curvature {
namespace {

/// The pieces of a norm lie one above the other, all others side by side.
int64_t piece_dimension(model::LayerKind kind) { return kind == model::LayerKind::norm ? 0 : 1; }

/// A parameter's tensor as a matrix: a vector is a column.
at::Tensor as_matrix(const at::Tensor& flat, const model::Parameter& p) {
  return flat.narrow(0, p.offset, p.size).view({p.shape[0], -1});
}

at::Tensor as_matrix(const at::Tensor& flat, const model::Parameter& p, const model::Piece& piece) {
  return flat.as_strided({piece.rows, piece.columns}, {piece.row_stride, piece.column_stride},
                         flat.storage_offset() + p.offset + piece.offset);
}

/// Throws InputError where a piece lacks elements or leaves its parameter.
void check_piece(const KroneckerLayer& layer, const model::Parameter& p, const model::Piece& piece) {
  const auto positive = {piece.rows, piece.columns, piece.row_stride, piece.column_stride};
  const int64_t last =
      piece.offset + (piece.rows - 1) * piece.row_stride + (piece.columns - 1) * piece.column_stride;
  if (piece.offset < 0 || std::ranges::min(positive) < 1 || last >= p.size) {
    throw InputError(fmt::format("layers/{} has a piece that is not a part of {}", layer.name, p.name));
  }
}

/// All of W in its pieces, before a part is cut out.
std::vector<at::Tensor> whole_pieces(const KroneckerLayer& layer, const model::ParamSpace& space,
                                     const at::Tensor& flat) {
  const auto parameter = [&](size_t i) { return space.parameters()[space.index(layer.parameters[i])]; };
  std::vector<at::Tensor> pieces;
  for (const model::Piece& piece : layer.pieces) {
    check_piece(layer, parameter(piece.parameter), piece);
    pieces.push_back(as_matrix(flat, parameter(piece.parameter), piece));
  }
  if (!pieces.empty()) return pieces;
  for (size_t i = 0; i < layer.parameters.size(); ++i) pieces.push_back(as_matrix(flat, parameter(i)));
  if (layer.kind == model::LayerKind::embedding) pieces.front() = pieces.front().t();
  return pieces;
}

std::string text_of(const IndexRange& range) {
  return fmt::format("{} to {}", range.first, range.first + range.count - 1);
}

void check_fits(const KroneckerLayer& layer, int64_t rows, int64_t columns) {
  const IndexRange r = layer.rows(), c = layer.columns();
  if (!layer.is_part && r.count == rows && c.count == columns) return;
  if (!layer.is_part) {
    throw InputError(fmt::format(
        "layers/{} has factors of {} outputs and {} inputs, but its parameters in the model need {} and {}",
        layer.name, r.count, c.count, rows, columns));
  }
  if (r.first >= 0 && c.first >= 0 && r.first + r.count <= rows && c.first + c.count <= columns) return;
  throw InputError(fmt::format("layers/{} is rows {} and columns {} of a matrix of {} rows and {} columns",
                               layer.name, text_of(r), text_of(c), rows, columns));
}

/// The part `along` of the joined pieces.
std::vector<at::Tensor> cut(const std::vector<at::Tensor>& pieces, int64_t dimension,
                            const IndexRange& along) {
  std::vector<at::Tensor> parts;
  int64_t offset = 0;
  for (const auto& piece : pieces) {
    const int64_t size = piece.size(dimension);
    const int64_t first = std::max(along.first, offset);
    const int64_t end = std::min(along.first + along.count, offset + size);
    if (first < end) parts.push_back(piece.narrow(dimension, first - offset, end - first));
    offset += size;
  }
  return parts;
}

}  // namespace

at::Tensor layer_eigenvalues(const KroneckerLayer& layer, bool ekfac) {
  if (!ekfac) return at::outer(layer.g_eigenvalues, layer.a_eigenvalues);
  if (layer.ekfac_eigenvalues.defined()) return layer.ekfac_eigenvalues;
  throw InputError("layers/" + layer.name +
                   " has no 'ekfac_eigenvalues': collect the factors without --no-ekfac, or use kfac");
}

std::vector<at::Tensor> layer_pieces(const KroneckerLayer& layer, const model::ParamSpace& space,
                                     const at::Tensor& flat) {
  std::vector<at::Tensor> pieces = whole_pieces(layer, space, flat);
  const int64_t dimension = piece_dimension(layer.kind), across = 1 - dimension;
  int64_t total = 0;
  for (const auto& piece : pieces) {
    total += piece.size(dimension);
    if (piece.size(across) == pieces.front().size(across)) continue;
    throw InputError(fmt::format("layers/{}: {} do not belong to one layer", layer.name,
                                 fmt::join(layer.parameters, " and ")));
  }
  const int64_t width = pieces.front().size(across);
  check_fits(layer, dimension == 0 ? total : width, dimension == 0 ? width : total);
  if (!layer.is_part) return pieces;
  const IndexRange lines = dimension == 0 ? layer.columns() : layer.rows();
  pieces = cut(pieces, dimension, dimension == 0 ? layer.rows() : layer.columns());
  for (auto& piece : pieces) piece = piece.narrow(across, lines.first, lines.count);
  return pieces;
}

at::Tensor join_pieces(model::LayerKind kind, const std::vector<at::Tensor>& pieces) {
  return pieces.size() == 1 ? pieces.front() : at::cat(pieces, piece_dimension(kind));
}

void write_pieces(model::LayerKind kind, const at::Tensor& w, const std::vector<at::Tensor>& pieces) {
  const int64_t dimension = piece_dimension(kind);
  int64_t offset = 0;
  for (const auto& piece : pieces) {
    piece.copy_(w.narrow(dimension, offset, piece.size(dimension)));
    offset += piece.size(dimension);
  }
}

Eigenpairs eigenpairs(const at::Tensor& matrix) {
  const auto [values, vectors] = at::linalg_eigh((matrix + matrix.t()) / 2);
  return {values.clamp_min(0), vectors.contiguous()};
}

}  // namespace ritzflow::curvature
