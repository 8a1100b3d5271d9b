#include "model/package/compiled_taps.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <utility>

namespace ritzflow::model {
namespace {

/// A forward pass whose layers are tapped, as a node of autograd's graph.
class TappedNode : public torch::autograd::Node {
 public:
  explicit TappedNode(PreparedBatch batch) : batch_(std::move(batch)) {
    const at::AutoGradMode no_grad(false);
    batch_.add("taps");
    inputs_ = batch_.all_of(batch_.values(), "a");
    batch_.keep_for({"taps_vjp"});
  }

  const at::Tensor& logits() const { return batch_.logits(); }

  /// Tap i; of its output only the shape is known.
  Tap tap(size_t i, const ParamSpace& params) const {
    const Package& package = batch_.package();
    const PackageTap& from = package.taps()[i];
    auto shape = package.slots()[package.slots_of("d")[i]].shape;
    shape[0] = batch_.samples();
    Layer layer{params.index(from.weight), {}};
    if (!from.bias.empty()) layer.bias = params.index(from.bias);
    std::vector<Piece> pieces = from.pieces;
    for (Piece& piece : pieces) piece.parameter = piece.parameter == 0 ? layer.weight : *layer.bias;
    // Patches of a convolution come unfolded: a linear layer at every pixel.
    const bool unfolded = from.kind == LayerKind::convolution;
    return {.kind = unfolded ? LayerKind::linear : from.kind,
            .layer = layer,
            .input = inputs_[i].narrow(0, 0, batch_.samples()),
            .output = at::zeros(shape, logits().options()).requires_grad_(),
            .tied = from.tied,
            .groups = from.groups,
            .pieces = std::move(pieces),
            .name = from.name};
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& cotangents) override {
    const at::AutoGradMode no_grad(false);
    SlotValues values = batch_.values();
    batch_.set_rows(values, "w", cotangents.at(0));
    batch_.package().run("taps_vjp", values);
    torch::autograd::variable_list gradients = batch_.all_of(values, "d");
    for (at::Tensor& d : gradients) d = d.narrow(0, 0, batch_.samples());
    return gradients;
  }

 private:
  PreparedBatch batch_;
  ParamTensors inputs_;
};

}  // namespace

at::Tensor forward_with_package_taps(PreparedBatch batch, const ParamSpace& params, Taps& taps) {
  const size_t count = batch.package().taps().size();
  const auto node = c10::make_intrusive<TappedNode>(std::move(batch));
  torch::autograd::variable_list outputs;
  for (size_t i = 0; i < count; ++i) {
    taps.push_back(node->tap(i, params));
    outputs.push_back(taps.back().output);
  }
  node->set_next_edges(torch::autograd::collect_next_edges(outputs));
  at::Tensor logits = node->logits().clone();
  torch::autograd::set_history(logits, node);
  return logits;
}

}  // namespace ritzflow::model
