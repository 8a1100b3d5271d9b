#include "curvature/kfac_factors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "core/error.h"

namespace ritzflow {
namespace {

double percent(int64_t part, int64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::string Coverage::text() const {
  std::string line =
      fmt::format("covered {} of {} parameters ({:.1f} %), {} of {} elements ({:.1f} %)", covered_parameters,
                  total_parameters, percent(covered_parameters, total_parameters), covered_elements,
                  total_elements, percent(covered_elements, total_elements));
  if (!missing.empty()) line += fmt::format("; missing: {}", fmt::join(missing, ", "));
  return line;
}

ParamTensors layer_tensors(const KroneckerLayer& layer, const ParamSpace& space, const ParamTensors& all) {
  ParamTensors tensors;
  for (const auto& name : layer.parameters) {
    const at::Tensor& whole = all[space.index(name)];
    if (!layer.is_part) {
      tensors.push_back(whole);
      continue;
    }
    if (layer.first_row < 0 || layer.first_row + layer.out() > whole.size(0)) {
      throw InputError(fmt::format("layers/{} is rows {} to {} of {}, which has {}", layer.name,
                                   layer.first_row, layer.first_row + layer.out() - 1, name, whole.size(0)));
    }
    tensors.push_back(whole.narrow(0, layer.first_row, layer.out()));
  }
  return tensors;
}

Coverage coverage(const KroneckerFactors& factors, const ParamSpace& space) {
  std::set<std::string> covered;
  for (const auto& layer : factors.layers) covered.insert(layer.parameters.begin(), layer.parameters.end());
  Coverage result;
  for (const auto& p : space.parameters()) {
    const bool is_covered = covered.contains(p.name);
    result.covered_parameters += is_covered ? 1 : 0;
    result.covered_elements += is_covered ? p.size : 0;
    if (!is_covered) result.missing.push_back(p.name);
  }
  result.total_parameters = static_cast<int64_t>(space.parameters().size());
  result.total_elements = space.size();
  return result;
}

at::Tensor layer_eigenvalues(const KroneckerLayer& layer, bool ekfac) {
  if (!ekfac) return at::outer(layer.g_eigenvalues, layer.a_eigenvalues);
  if (layer.ekfac_eigenvalues.defined()) return layer.ekfac_eigenvalues;
  throw InputError("layers/" + layer.name +
                   " has no 'ekfac_eigenvalues': collect the factors without --no-ekfac, or use kfac");
}

at::Tensor to_matrix(LayerKind kind, const ParamTensors& parameters) {
  const at::Tensor& weight = parameters.front();
  if (kind == LayerKind::embedding) return weight.t();
  if (kind == LayerKind::norm) return at::cat(parameters).unsqueeze(1);
  const at::Tensor rows = weight.reshape({weight.size(0), -1});
  return parameters.size() == 1 ? rows : at::cat({rows, parameters[1].unsqueeze(1)}, 1);
}

void from_matrix(LayerKind kind, const at::Tensor& w, const ParamTensors& parameters) {
  const at::Tensor& weight = parameters.front();
  if (kind == LayerKind::embedding) {
    weight.copy_(w.t());
  } else if (kind == LayerKind::norm) {
    const int64_t width = weight.numel();
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].copy_(w.select(1, 0).narrow(0, static_cast<int64_t>(i) * width, width));
    }
  } else {
    const int64_t in = weight.numel() / weight.size(0);
    weight.view({weight.size(0), in}).copy_(w.narrow(1, 0, in));
    if (parameters.size() > 1) parameters[1].copy_(w.select(1, in));
  }
}

Eigenpairs eigenpairs(const at::Tensor& matrix) {
  const auto [values, vectors] = at::linalg_eigh((matrix + matrix.t()) / 2);
  return {values.clamp_min(0), vectors.contiguous()};
}

}  // namespace ritzflow
