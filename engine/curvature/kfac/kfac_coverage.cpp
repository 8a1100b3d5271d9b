#include "curvature/kfac/kfac_coverage.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace ritzflow::curvature {
namespace {

double percent(int64_t part, int64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

/// How many layers cover each coordinate [n].
at::Tensor covering_layers(const KroneckerFactors& factors, const model::ParamSpace& space) {
  const at::Tensor count = at::zeros({space.size()}, at::kByte);
  for (const auto& layer : factors.layers) {
    for (const auto& piece : layer_pieces(layer, space, count)) piece.add_(1);
  }
  return count;
}

bool is_covered(const model::Parameter& p, const at::Tensor& counts) {
  const at::Tensor own = counts.narrow(0, p.offset, p.size);
  const auto least = own.min().item<int64_t>(), most = own.max().item<int64_t>();
  if (most > 1) throw InputError(fmt::format("layers overlap: {} is in more than one of them", p.name));
  if (least != most) throw InputError(fmt::format("layers cover only a part of {}", p.name));
  return least == 1;
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

Coverage coverage(const KroneckerFactors& factors, const model::ParamSpace& space) {
  const at::Tensor counts = covering_layers(factors, space);
  Coverage result;
  for (const auto& p : space.parameters()) {
    const bool covered = is_covered(p, counts);
    result.covered_parameters += covered ? 1 : 0;
    result.covered_elements += covered ? p.size : 0;
    if (!covered) result.missing.push_back(p.name);
  }
  result.total_parameters = static_cast<int64_t>(space.parameters().size());
  result.total_elements = space.size();
  return result;
}

std::vector<IndexRange> uncovered_ranges(const Coverage& coverage, const model::ParamSpace& space) {
  std::vector<IndexRange> ranges;
  for (const auto& name : coverage.missing) {
    const model::Parameter& p = space.parameters()[space.index(name)];
    ranges.push_back({p.offset, p.size});
  }
  return ranges;
}

}  // namespace ritzflow::curvature
