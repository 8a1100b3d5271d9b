#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "model/loss.h"
#include "model/package/package.h"
#include "model/package/package_check.h"
#include "model/package/placed_tensors.h"

namespace ritzflow::model {

/// What an export found out about d2l/dz2, the second derivative of a loss in the outputs.
///   convex   positive semi-definite: the user said so, and no sample of the data showed otherwise;
///   unknown  nothing was promised;
///   zero     zero wherever it exists, as of an absolute value.
enum class OutputCurvature { convex, unknown, zero };

/// Throws InputError on another word.
OutputCurvature parse_output_curvature(const std::string& word);

/// Outputs [k, C] and targets [k, ...] of some rows at an export, and what the loss gave for them.
struct LossCheck {
  at::Tensor outputs, targets;
  CheckValues expected;
};

/// A loss of the user's own: functions that were traced in Python (`export_products.py --loss`) and stored as
/// packages. `loss` takes outputs z and targets y and gives the losses of rows l and their gradients r =
/// dl/dz, `loss_curvature` gives s = (d2l/dz2) u. A package takes a fixed number of rows; fewer are filled up
/// with the last one.
class CompiledLoss : public Loss {
 public:
  /// `buffers` by name, `packages` by the type that they compute in.
  CompiledLoss(std::string name, OutputCurvature curvature, std::map<std::string, at::Tensor> buffers,
               Packages packages);

  std::string name() const override { return name_; }
  bool is_convex() const override { return curvature_ == OutputCurvature::convex; }
  bool is_likelihood() const override { return false; }
  void require_gauss_newton() const override;

  at::Tensor value(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override;
  at::Tensor gradient(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override;
  at::Tensor curvature(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w,
                       const at::Tensor& u) const override;
  /// By the eigenpairs of every row's H [C, C]: for a convex loss of at most 64 outputs.
  Columns root_columns(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w) const override;

  /// Terms of the loss that a sample has.
  int64_t terms() const;
  /// Slot of the targets: shape [samples, ...] and type.
  const Slot& targets() const;

  /// Throws Refusal unless l, r and s are what they were at the export, in the type and on the device of
  /// `options`.
  void check(const LossCheck& at_export, const at::TensorOptions& options) const;

 private:
  const Package& package(const at::Tensor& z) const;
  /// Slots with z, y and buffers, the rows filled up.
  SlotValues start(const Package& package, const at::Tensor& z, const at::Tensor& y) const;
  at::Tensor run(const std::string& function, const std::string& result, const at::Tensor& z,
                 const at::Tensor& y, const at::Tensor& u = {}) const;

  std::string name_;
  OutputCurvature curvature_;
  PlacedTensors buffers_;
  Packages packages_;
};

}  // namespace ritzflow::model
