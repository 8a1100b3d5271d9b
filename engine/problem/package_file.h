#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "artifact/reader.h"
#include "model/package/arguments.h"
#include "model/package/package.h"

namespace ritzflow::problem {

/// Opens the package `key` in the folder `packages` (docs/formats.md, "Packages"). Throws InputError where it
/// is missing, damaged, or made for another shape of data; Refusal where it was made by another PyTorch, or
/// compiled for instructions that this machine lacks.
std::shared_ptr<const model::Package> open_package(const std::filesystem::path& packages,
                                                   const std::string& key, const model::ModelInputs& inputs);

/// The same for the functions of a loss, whose shapes are checked against the targets of the data
/// (loss_file.h).
std::shared_ptr<const model::Package> open_loss_package(const std::filesystem::path& packages,
                                                        const std::string& key);

/// KEY of the package by type, in `object` under the last word of `place`. Throws InputError.
std::map<std::string, std::string> package_keys(const artifact::ArtifactReader& model,
                                                const nlohmann::json& object, const std::string& place);

/// The folder where the packages of a model.h5 lie.
std::filesystem::path packages_folder(const artifact::ArtifactReader& model);

}  // namespace ritzflow::problem
