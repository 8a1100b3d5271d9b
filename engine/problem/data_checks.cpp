#include "problem/data_checks.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"
#include "problem/tensor_io.h"

namespace ritzflow::problem {

void wrong(const artifact::ArtifactReader& file, const std::string& dataset, const std::string& what) {
  throw InputError(fmt::format("{}: dataset '{}' {}", file.path().string(), dataset, what));
}

void require_range(const artifact::ArtifactReader& file, const std::string& dataset, const at::Tensor& values,
                   const at::Tensor& allowed, int64_t bound, const std::string& expected) {
  const at::Tensor bad = values.lt(0).logical_or(values.ge(bound)).logical_and(allowed.logical_not());
  if (!bad.any().item<bool>()) return;
  const auto first = at::nonzero(bad.reshape({-1}))[0].item<int64_t>();
  wrong(file, dataset,
        fmt::format("holds {} at {}, expected {} < {} (num_classes)",
                    values.reshape({-1})[first].item<int64_t>(),
                    artifact::index_text(first, values.sizes().vec()), expected, bound));
}

}  // namespace ritzflow::problem
