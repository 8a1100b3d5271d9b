#include "problem/point_digest.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/sha256.h"

namespace ritzflow::problem {

std::string point_digest(const nlohmann::json& architecture, const std::string& loss,
                         const model::ParamSpace& params, const at::Tensor& theta) {
  Sha256 digest;
  digest.update(fmt::format("{}\n{}\n", architecture.dump(), loss));
  for (const model::Parameter& p : params.parameters()) {
    digest.update(fmt::format("{}\n{}\n", p.name, fmt::join(p.shape, ",")));
    digest.update(theta.const_data_ptr<float>() + p.offset, static_cast<size_t>(p.size) * sizeof(float));
  }
  return digest.hex();
}

}  // namespace ritzflow::problem
