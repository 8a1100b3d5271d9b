#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "model/autodiff/network.h"
#include "model/loss.h"
#include "problem/data_file.h"

namespace ritzflow::problem {

/// A network and the point theta at one step of its training.
struct ModelPoint {
  std::shared_ptr<const model::Network> network;
  at::Tensor theta;         ///< [n] float64, in the order of network->params()
  int64_t step = 0;         ///< the step that was read
  nlohmann::json spec;      ///< {"architecture": ..., "training": ...}
  std::string sha256;       ///< digest of network and weights at the step; of the file where it has none
  int64_t micro_batch = 0;  ///< samples that a product takes at most; 0: any number
  std::shared_ptr<const model::Loss> loss;  ///< the user's own, where the model was exported with one
  /// Throws unless products stored beside the model are what they were at its export, at the parameters
  /// given; those of the Hessian only if `hessian`. Empty where there is nothing to check.
  std::function<void(const model::ParamTensors& theta, bool hessian)> check;
};

/// Reads the parameters of `step` ("final": the largest; or a number) from a model.h5 and builds its network
/// for `data`, those of the file `data_path`, whose terms and inputs become those that a loss or objective of
/// the user's own takes. Throws InputError on a step, name or shape that does not fit, and on weights not
/// finite.
ModelPoint load_model(const std::filesystem::path& path, const std::string& step, DataFile& data,
                      const std::filesystem::path& data_path);

}  // namespace ritzflow::problem
