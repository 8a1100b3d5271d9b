#include "curvature/kfac/kfac_layer_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "artifact/hdf5/item.h"
#include "core/error.h"
#include "core/philox.h"
#include "problem/data_checks.h"
#include "problem/tensor_io.h"

namespace ritzflow::curvature {
namespace {

// Eigenvectors of another program in float32 are orthonormal to about 1e-6.
constexpr double orthonormality_tolerance = 1e-4;
// Eigenvalues below 0 by no more than rounding, relative to the largest, are 0.
constexpr double negative_tolerance = 1e-6;

void write_defined(artifact::ArtifactWriter& file, const std::string& path, const at::Tensor& values) {
  if (values.defined()) problem::write_tensor(file, path, values);
}

at::Tensor finite_tensor(const artifact::ArtifactReader& file, const std::string& path, int64_t dimensions) {
  at::Tensor values = problem::read_tensor(file, path).to(at::kDouble);
  problem::require_finite(values, file, path);
  if (values.dim() != dimensions) {
    problem::wrong(
        file, path,
        fmt::format("has shape {}, expected {} dimension{}", artifact::shape_text(values.sizes().vec()),
                    dimensions, dimensions == 1 ? "" : "s"));
  }
  return values;
}

/// Values with those below 0 by rounding set to 0.
at::Tensor nonnegative(const artifact::ArtifactReader& file, const std::string& path,
                       const at::Tensor& values) {
  const double least = values.min().item<double>(), largest = values.abs().max().item<double>();
  if (least < -negative_tolerance * largest) {
    problem::wrong(file, path,
                   fmt::format("has an element {:.6g}, expected a positive semi-definite factor", least));
  }
  return values.clamp_min(0);
}

void check_orthonormal(const artifact::ArtifactReader& file, const std::string& path, const at::Tensor& u,
                       int64_t n) {
  if (u.size(0) != n || u.size(1) != n) {
    problem::wrong(file, path,
                   fmt::format("has shape {}, expected [{}, {}] from its eigenvalues",
                               artifact::shape_text(u.sizes().vec()), n, n));
  }
  // U'U x = x for a random x: n^2 products where U'U itself takes n^3 at every opening of an operator.
  at::Tensor x = at::empty({n, 1}, at::kDouble);
  Philox(0, "read-kfac", "orthonormal").fill_normal({x.data_ptr<double>(), static_cast<size_t>(n)});
  const double error = (at::mm(u.t(), at::mm(u, x)) - x).abs().max().item<double>();
  if (error > orthonormality_tolerance) {
    problem::wrong(
        file, path,
        fmt::format("has columns that are not orthonormal: |U'U x - x| of a random x is up to {:.3g}",
                    error));
  }
}

/// The factor `a` or `g` of a layer: its eigenpairs where the file has them, else its matrix, decomposed.
Eigenpairs read_factor(const artifact::ArtifactReader& file, const std::string& group,
                       const std::string& factor) {
  const std::string dense = group + "/" + factor, values = dense + "_eigenvalues",
                    vectors = dense + "_eigenvectors";
  if (file.has(values)) {
    Eigenpairs pairs{nonnegative(file, values, finite_tensor(file, values, 1)), {}};
    if (!file.has(vectors)) return pairs;
    pairs.vectors = finite_tensor(file, vectors, 2);
    check_orthonormal(file, vectors, pairs.vectors, pairs.values.size(0));
    return pairs;
  }
  if (!file.has(dense)) {
    throw InputError(fmt::format("{}: '{}' has neither '{}_eigenvalues' nor the matrix '{}'",
                                 file.path().string(), group, factor, factor));
  }
  const at::Tensor matrix = finite_tensor(file, dense, 2);
  if (matrix.size(0) != matrix.size(1) ||
      !at::allclose(matrix, matrix.t(), 1e-6, 1e-6 * matrix.abs().max().item<double>())) {
    problem::wrong(file, dense, "is not a symmetric matrix");
  }
  const auto [raw_values, raw_vectors] = at::linalg_eigh((matrix + matrix.t()) / 2);
  return {nonnegative(file, dense, raw_values), raw_vectors.contiguous()};
}

model::LayerKind read_kind(const artifact::ArtifactReader& file, const std::string& group) {
  if (!file.has_attribute(group, "kind")) return model::LayerKind::linear;
  return parse_word<model::LayerKind>(fmt::format("{}: attribute '{}@kind'", file.path().string(), group),
                                      file.attribute<std::string>(group, "kind"));
}

/// First and number of the rows or columns of W that a part of a layer is; `count` of them.
int64_t read_first(const artifact::ArtifactReader& file, const std::string& group, const std::string& what,
                   int64_t count) {
  const auto range = file.attribute<std::vector<int64_t>>(group, what);
  if (range.size() == 2 && range[1] == count) return range[0];
  throw InputError(
      fmt::format("{}: attribute '{}@{}' does not say which {} {} of the layer's matrix are meant",
                  file.path().string(), group, what, count, what));
}

void read_part(const artifact::ArtifactReader& file, const std::string& group, KroneckerLayer& layer) {
  const bool rows = file.has_attribute(group, "rows"), columns = file.has_attribute(group, "columns");
  layer.is_part = rows || columns;
  if (rows) layer.first_row = read_first(file, group, "rows", layer.out());
  if (columns) layer.first_column = read_first(file, group, "columns", layer.in());
}

/// Attribute `pieces` [q, 6] of a layer, none where it lacks one.
std::vector<model::Piece> read_pieces(const artifact::ArtifactReader& file, const std::string& group,
                                      size_t parameters) {
  std::vector<model::Piece> pieces;
  if (!file.has_attribute(group, "pieces")) return pieces;
  const auto numbers = file.attribute<std::vector<int64_t>>(group, "pieces");
  for (size_t i = 0; i + 6 <= numbers.size(); i += 6) {
    const int64_t* p = numbers.data() + i;
    pieces.push_back({static_cast<size_t>(p[0]), p[1], p[2], p[3], p[4], p[5]});
  }
  const auto exists = [&](const model::Piece& piece) { return piece.parameter < parameters; };
  if (!pieces.empty() && numbers.size() % 6 == 0 && std::ranges::all_of(pieces, exists)) return pieces;
  throw InputError(
      fmt::format("{}: attribute '{}@pieces' does not list six numbers for each piece: parameter, "
                  "offset, rows, row stride, columns, column stride",
                  file.path().string(), group));
}

void write_pieces(artifact::ArtifactWriter& file, const std::string& group,
                  const std::vector<model::Piece>& pieces) {
  std::vector<int64_t> numbers;
  for (const model::Piece& p : pieces) {
    numbers.insert(numbers.end(), {static_cast<int64_t>(p.parameter), p.offset, p.rows, p.row_stride,
                                   p.columns, p.column_stride});
  }
  if (!pieces.empty()) file.attribute(group, "pieces", numbers);
}

at::Tensor read_second_moments(const artifact::ArtifactReader& file, const std::string& group,
                               const KroneckerLayer& layer) {
  const std::string path = group + "/ekfac_eigenvalues";
  if (!file.has(path)) return {};
  const at::Tensor moments = nonnegative(file, path, finite_tensor(file, path, 2));
  const std::vector<int64_t> actual = moments.sizes().vec(), expected = {layer.out(), layer.in()};
  if (actual == expected) return moments;
  problem::wrong(file, path,
                 fmt::format("has shape {}, expected [out, in] = {}", artifact::shape_text(actual),
                             artifact::shape_text(expected)));
}

}  // namespace

void write_layer(artifact::ArtifactWriter& file, const KroneckerLayer& layer) {
  const std::string group = "layers/" + layer.name;
  write_defined(file, group + "/a_eigenvalues", layer.a_eigenvalues);
  write_defined(file, group + "/a_eigenvectors", layer.a_eigenvectors);
  write_defined(file, group + "/g_eigenvalues", layer.g_eigenvalues);
  write_defined(file, group + "/g_eigenvectors", layer.g_eigenvectors);
  write_defined(file, group + "/ekfac_eigenvalues", layer.ekfac_eigenvalues);
  file.attribute(group, "parameters", layer.parameters);
  file.attribute(group, "kind", word(layer.kind));
  write_pieces(file, group, layer.pieces);
  if (layer.is_part) {
    file.attribute(group, "rows", std::vector<int64_t>{layer.first_row, layer.out()});
    file.attribute(group, "columns", std::vector<int64_t>{layer.first_column, layer.in()});
  }
  if (layer.tied) file.attribute(group, "tied", std::string("output layer alone"));
}

KroneckerLayer read_layer(const artifact::ArtifactReader& file, const std::string& name) {
  const std::string group = "layers/" + name;
  KroneckerLayer layer;
  layer.name = name;
  layer.kind = read_kind(file, group);
  layer.parameters = file.attribute<std::vector<std::string>>(group, "parameters");
  layer.tied = file.has_attribute(group, "tied");
  if (layer.parameters.empty() || layer.parameters.size() > 2) {
    throw InputError(
        fmt::format("{}: attribute '{}@parameters' names {} parameters, expected a weight and perhaps a bias",
                    file.path().string(), group, layer.parameters.size()));
  }
  layer.pieces = read_pieces(file, group, layer.parameters.size());
  const Eigenpairs a = read_factor(file, group, "a"), g = read_factor(file, group, "g");
  layer.a_eigenvalues = a.values;
  layer.a_eigenvectors = a.vectors;
  layer.g_eigenvalues = g.values;
  layer.g_eigenvectors = g.vectors.defined() ? g.vectors : at::eye(layer.out(), at::kDouble);
  read_part(file, group, layer);
  layer.ekfac_eigenvalues = read_second_moments(file, group, layer);
  return layer;
}

}  // namespace ritzflow::curvature
