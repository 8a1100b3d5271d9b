#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/arguments.h"
#include "model/package.h"

namespace ritzflow {

/// Opens the package `key` in the folder `packages` (docs/formats.md, "Packages"). Throws InputError where it
/// is missing, damaged, or made for another shape of data; Refusal where it was made by another PyTorch, or
/// compiled for instructions that this machine lacks.
std::shared_ptr<const Package> open_package(const std::filesystem::path& packages, const std::string& key,
                                            const ModelInputs& inputs);

}  // namespace ritzflow
