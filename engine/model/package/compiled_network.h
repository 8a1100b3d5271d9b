#pragma once
#include <map>
#include <memory>
#include <string>

#include "model/autodiff/network.h"
#include "model/package/arguments.h"
#include "model/package/package.h"
#include "model/package/package_check.h"
#include "model/package/placed_tensors.h"
#include "model/package/prepared_batch.h"

namespace ritzflow::model {

/// The second provider of products beside the built-in networks: any PyTorch module whose products were
/// traced once, split and stored (`export_products.py`). A micro-batch smaller than the package's is filled
/// up with its last sample at weight zero, which adds exact zeros.
class CompiledNetwork : public Network {
 public:
  /// `buffers` by name, `packages` by the type that they compute in.
  CompiledNetwork(ParamSpace params, std::map<std::string, at::Tensor> buffers, Packages packages,
                  ModelInputs inputs);

  /// The logits: what is the output layer is not known of a module.
  at::Tensor features(const ParamTensors& theta, const at::Tensor& inputs) const override;
  /// Layers for K-FAC, where they were exported; the logits are part of a graph of the taps' outputs alone.
  at::Tensor forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs,
                               Taps& taps) const override;
  std::unique_ptr<Linearization> linearize(const ParamTensors& theta, const at::Tensor& inputs,
                                           Lifetime lifetime) const override;
  /// Throws Refusal for a layout other than reverse over reverse, the one that is traced.
  std::unique_ptr<HessianLinearization> linearize_gradient(const Loss& loss, const ParamTensors& theta,
                                                           const at::Tensor& inputs,
                                                           const at::Tensor& targets,
                                                           const at::Tensor& weights,
                                                           HessianMode mode) const override;
  /// Throws InputError that begins with `origin` where a package is for other parameters or buffers.
  void require_fitting_packages(const std::string& origin) const;

  /// Samples that a product takes at most.
  int64_t micro_batch() const;

  /// Refused: such a network comes with its weights.
  void initialize(uint64_t seed, VectorSpan theta) const override;

  /// check_package() at `theta` with the type of `theta`, and at the arguments of the export; where there are
  /// none, at check_input().
  void check(const ParamTensors& theta, Arguments arguments, const CheckValues& expected, bool hessian) const;

 private:
  const Package& package(at::ScalarType dtype) const;
  /// Slots with theta, buffers and arguments.
  SlotValues start(const Package& package, const ParamTensors& theta, const Arguments& arguments) const;

  PreparedBatch prepare(const ParamTensors& theta, const at::Tensor& inputs) const;

  PlacedTensors buffers_, shared_;
  std::vector<InputField> fields_;
  Packages packages_;
};

}  // namespace ritzflow::model
