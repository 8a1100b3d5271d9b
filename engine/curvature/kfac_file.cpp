#include "curvature/kfac_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "artifact/item.h"
#include "artifact/reader.h"
#include "artifact/writer.h"
#include "core/error.h"
#include "curvature/tensor_io.h"

namespace ritzflow {
namespace {

// Eigenvectors of another program in float32 are orthonormal to about 1e-6.
constexpr double orthonormality_tolerance = 1e-4;
// Eigenvalues below 0 by no more than rounding, relative to the largest, are 0.
constexpr double negative_tolerance = 1e-6;

[[noreturn]] void wrong(const ArtifactReader& file, const std::string& path, const std::string& what) {
  throw InputError(fmt::format("{}: dataset '{}' {}", file.path().string(), path, what));
}

void write_tensor(ArtifactWriter& file, const std::string& path, const at::Tensor& values) {
  if (!values.defined()) return;
  const at::Tensor flat = values.contiguous();
  const std::span<const double> all(flat.data_ptr<double>(), static_cast<size_t>(flat.numel()));
  file.dataset(path, all, flat.sizes().vec());
}

void write_layer(ArtifactWriter& file, const KroneckerLayer& layer) {
  const std::string group = "layers/" + layer.name;
  write_tensor(file, group + "/a_eigenvalues", layer.a_eigenvalues);
  write_tensor(file, group + "/a_eigenvectors", layer.a_eigenvectors);
  write_tensor(file, group + "/g_eigenvalues", layer.g_eigenvalues);
  write_tensor(file, group + "/g_eigenvectors", layer.g_eigenvectors);
  write_tensor(file, group + "/ekfac_eigenvalues", layer.ekfac_eigenvalues);
  file.attribute(group, "parameters", layer.parameters);
  file.attribute(group, "kind", to_string(layer.kind));
  if (layer.is_part) {
    file.attribute(group, "rows", std::vector<int64_t>{layer.first_row, layer.out()});
  }
  if (layer.tied) file.attribute(group, "tied", std::string("output layer alone"));
}

at::Tensor finite_tensor(const ArtifactReader& file, const std::string& path, int64_t dimensions) {
  at::Tensor values = read_tensor(file, path).to(at::kDouble);
  require_finite(values, file, path);
  if (values.dim() != dimensions) {
    wrong(file, path,
          fmt::format("has shape {}, expected {} dimension{}", shape_text(values.sizes().vec()), dimensions,
                      dimensions == 1 ? "" : "s"));
  }
  return values;
}

/// Values with those below 0 by rounding set to 0.
at::Tensor nonnegative(const ArtifactReader& file, const std::string& path, const at::Tensor& values) {
  const double least = values.min().item<double>(), largest = values.abs().max().item<double>();
  if (least < -negative_tolerance * largest) {
    wrong(file, path, fmt::format("has an element {:.6g}, expected a positive semi-definite factor", least));
  }
  return values.clamp_min(0);
}

void check_orthonormal(const ArtifactReader& file, const std::string& path, const at::Tensor& u, int64_t n) {
  if (u.size(0) != n || u.size(1) != n) {
    wrong(file, path,
          fmt::format("has shape {}, expected [{}, {}] from its eigenvalues", shape_text(u.sizes().vec()), n,
                      n));
  }
  const double error = (at::matmul(u.t(), u) - at::eye(n, u.options())).abs().max().item<double>();
  if (error > orthonormality_tolerance) {
    wrong(file, path, fmt::format("has columns that are not orthonormal: |U'U - I| is up to {:.3g}", error));
  }
}

/// The factor `a` or `g` of a layer: its eigenpairs where the file has them, else its matrix, decomposed.
Eigenpairs read_factor(const ArtifactReader& file, const std::string& group, const std::string& factor) {
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
    wrong(file, dense, "is no symmetric matrix");
  }
  Eigenpairs pairs = eigenpairs(matrix);
  nonnegative(file, dense, at::linalg_eigvalsh((matrix + matrix.t()) / 2));
  return pairs;
}

LayerKind parse_kind(const ArtifactReader& file, const std::string& group) {
  if (!file.has_attribute(group, "kind")) return LayerKind::linear;
  const auto word = file.attribute<std::string>(group, "kind");
  for (const LayerKind kind :
       {LayerKind::linear, LayerKind::convolution, LayerKind::embedding, LayerKind::norm}) {
    if (word == to_string(kind)) return kind;
  }
  throw InputError(
      fmt::format("{}: attribute '{}@kind' is '{}', expected linear, convolution, embedding or norm",
                  file.path().string(), group, word));
}

KroneckerLayer read_layer(const ArtifactReader& file, const std::string& name) {
  const std::string group = "layers/" + name;
  KroneckerLayer layer;
  layer.name = name;
  layer.kind = parse_kind(file, group);
  layer.parameters = file.attribute<std::vector<std::string>>(group, "parameters");
  layer.tied = file.has_attribute(group, "tied");
  if (layer.parameters.empty() || layer.parameters.size() > 2) {
    throw InputError(
        fmt::format("{}: attribute '{}@parameters' names {} parameters, expected a weight and perhaps a bias",
                    file.path().string(), group, layer.parameters.size()));
  }
  const Eigenpairs a = read_factor(file, group, "a"), g = read_factor(file, group, "g");
  layer.a_eigenvalues = a.values;
  layer.a_eigenvectors = a.vectors;
  layer.g_eigenvalues = g.values;
  layer.g_eigenvectors = g.vectors.defined() ? g.vectors : at::eye(layer.out(), at::kDouble);
  if (file.has_attribute(group, "rows")) {
    const auto rows = file.attribute<std::vector<int64_t>>(group, "rows");
    if (rows.size() != 2 || rows[1] != layer.out() || layer.kind != LayerKind::linear) {
      throw InputError(
          fmt::format("{}: attribute '{}@rows' does not say which {} rows of a linear layer are meant",
                      file.path().string(), group, layer.out()));
    }
    layer.first_row = rows[0];
    layer.is_part = true;
  }
  const std::string moments = group + "/ekfac_eigenvalues";
  if (file.has(moments)) {
    layer.ekfac_eigenvalues = nonnegative(file, moments, finite_tensor(file, moments, 2));
    const std::vector<int64_t> expected = {layer.out(), layer.in()};
    if (layer.ekfac_eigenvalues.sizes().vec() != expected) {
      wrong(file, moments,
            fmt::format("has shape {}, expected [out, in] = {}",
                        shape_text(layer.ekfac_eigenvalues.sizes().vec()), shape_text(expected)));
    }
  }
  return layer;
}

template <class T>
T attribute_or(const ArtifactReader& file, const std::string& name, T fallback) {
  return file.has_attribute(name) ? file.attribute<T>(name) : fallback;
}

KfacOrigin read_origin(const ArtifactReader& file) {
  KfacOrigin origin;
  origin.kfac_approx = attribute_or<std::string>(file, "kfac_approx", "");
  origin.fisher_type = attribute_or<std::string>(file, "fisher_type", "");
  origin.step = attribute_or<int64_t>(file, "step", -1);
  origin.data_sha256 = attribute_or<std::string>(file, "data_sha256", "");
  origin.model_sha256 = attribute_or<std::string>(file, "model_sha256", "");
  return origin;
}

void write_origin(ArtifactWriter& file, const KfacOrigin& origin) {
  file.attribute("kfac_approx", origin.kfac_approx);
  file.attribute("fisher_type", origin.fisher_type);
  if (origin.fisher_type == "mc") {
    file.attribute("mc_samples", origin.mc_samples);
    file.attribute("seed", origin.seed);
  }
  file.attribute("dtype_compute", origin.dtype_compute);
  file.attribute("loss", origin.loss);
  file.attribute("step", origin.step);
  file.attribute("batch_size_used", origin.batch_size_used);
  file.attribute("data_sha256", origin.data_sha256);
  file.attribute("model_sha256", origin.model_sha256);
}

}  // namespace

std::string write_kfac(const std::filesystem::path& out, const KroneckerFactors& factors,
                       const Coverage& coverage, const KfacOrigin& origin, const nlohmann::json& provenance) {
  ArtifactWriter file(out, "ritzflow-kfac");
  for (const auto& layer : factors.layers) write_layer(file, layer);
  file.attribute("covered_parameters", coverage.covered_parameters);
  file.attribute("total_parameters", coverage.total_parameters);
  file.attribute("covered_elements", coverage.covered_elements);
  file.attribute("total_elements", coverage.total_elements);
  file.attribute("missing", coverage.missing);
  write_origin(file, origin);
  file.provenance(provenance);
  return file.commit();
}

KfacFile read_kfac(const std::filesystem::path& path) {
  const ArtifactReader file(path, "ritzflow-kfac");
  KfacFile result;
  for (const auto& name : file.children("layers")) result.factors.layers.push_back(read_layer(file, name));
  result.origin = read_origin(file);
  result.sha256 = file.content_sha256();
  return result;
}

}  // namespace ritzflow
