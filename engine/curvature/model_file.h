#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "model/arguments.h"
#include "model/network.h"

namespace ritzflow {

/// A network and the point theta at one step of its training.
struct ModelPoint {
  std::shared_ptr<const Network> network;
  at::Tensor theta;         ///< [n] float64, in the order of network->params()
  int64_t step = 0;         ///< the step that was read
  nlohmann::json spec;      ///< {"architecture": ..., "training": ...}
  std::string sha256;       ///< digest of network and weights at the step; of the file where it has none
  int64_t micro_batch = 0;  ///< samples that a product takes at most; 0: any number
  /// Throws unless products stored beside the model are what they were at its export, at the parameters
  /// given; those of the Hessian only if `hessian`. Empty where there is nothing to check.
  std::function<void(const ParamTensors& theta, bool hessian)> check;
};

/// Reads the parameters of `step` ("final": the largest; or a number) from a model.h5 and builds its network
/// for the `inputs` of the file `data`. Throws InputError on a step, name or shape that does not
/// fit, and on weights not finite.
ModelPoint load_model(const std::filesystem::path& path, const std::string& step, const ModelInputs& inputs,
                      const std::filesystem::path& data);

}  // namespace ritzflow
