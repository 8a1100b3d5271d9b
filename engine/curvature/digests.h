#pragma once
#include <filesystem>
#include <string>

namespace ritzflow::curvature {

/// Content digests of the files under an operator; an empty one is unknown, or of a file that is not used.
struct Digests {
  std::string data, model, matrix, kfac;
};

/// Throws InputError where the contents of `file` are not those that an operator was built from; any will do
/// where `expected` is empty.
void require_digest(const std::filesystem::path& file, const std::string& actual,
                    const std::string& expected);

}  // namespace ritzflow::curvature
