#pragma once
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "artifact/reader.h"
#include "model/package/compiled_loss.h"
#include "problem/data_file.h"

namespace ritzflow::problem {

/// A loss of the user's own, and what it gave at the export.
struct StoredLoss {
  std::shared_ptr<const model::CompiledLoss> loss;  ///< none where `training.loss` names one of ours
  model::LossCheck check;
};

/// `training.<key>` of a model's spec where that is text, else "".
std::string training_word(const nlohmann::json& spec, const std::string& key);

/// The loss whose packages `spec` names as `training.loss_packages`; `prefix` is where the step's check
/// values lie. Throws InputError where something is missing or damaged.
StoredLoss read_loss(const artifact::ArtifactReader& model, const nlohmann::json& spec,
                     const std::string& prefix, const std::map<std::string, at::Tensor>& buffers);

/// The same data with the terms that the loss has: one a sample, or as many as a sample's targets can be cut
/// into. Throws InputError where the targets have another shape or type than at the export, Refusal where a
/// mask or weights of tokens would have to be one number a sample.
DataFile with_terms_of(const model::CompiledLoss& loss, DataFile data);

}  // namespace ritzflow::problem
