#include "curvature/digests.h"

#include <fmt/format.h>

#include "core/error.h"

namespace ritzflow::curvature {

void require_digest(const std::filesystem::path& file, const std::string& actual,
                    const std::string& expected) {
  if (expected.empty() || actual == expected) return;
  throw InputError(
      fmt::format("{}: its contents changed since the operator was built (digest {}..., expected {}...); "
                  "run build-operator again",
                  file.string(), actual.substr(0, 12), expected.substr(0, 12)));
}

}  // namespace ritzflow::curvature
