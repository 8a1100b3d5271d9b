#include "model/compiled_network.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "core/error.h"
#include "model/linearization.h"
#include "model/waves.h"

namespace ritzflow {
namespace {

/// `tensor` with `rows` rows: zeros behind its own.
at::Tensor with_zero_rows(const at::Tensor& tensor, int64_t rows) {
  if (tensor.size(0) == rows) return tensor.contiguous();
  auto shape = tensor.sizes().vec();
  shape[0] = rows - tensor.size(0);
  return at::cat({tensor, at::zeros(shape, tensor.options())}, 0);
}

/// Its samples, and the last one again up to `count`: values that the module can surely take.
at::Tensor filled_up(const at::Tensor& inputs, int64_t count) {
  if (inputs.size(0) == count) return inputs.contiguous();
  auto shape = inputs.sizes().vec();
  shape[0] = count - inputs.size(0);
  return at::cat({inputs, inputs.narrow(0, inputs.size(0) - 1, 1).expand(shape)}, 0);
}

/// What both linearizations share: a package with its kept values, and rows that are real.
class Prepared {
 public:
  Prepared(const Package& package, SlotValues values, int64_t samples) : package_(package) {
    const at::AutoGradMode no_grad(false);
    package_.run("primal", values);
    values_ = std::move(values);
    const at::Tensor z = at_slot("z");
    rows_ = samples * (z.size(0) / package_.micro_batch());
    all_rows_ = z.size(0);
    logits_ = z.narrow(0, 0, rows_);
  }

  const at::Tensor& logits() const { return logits_; }

 protected:
  const at::Tensor& at_slot(const std::string& name) const { return values_[package_.slot(name)]; }

  void set_direction(SlotValues& values, const ParamTensors& v) const {
    const auto places = package_.slots_of("v");
    for (size_t i = 0; i < places.size(); ++i) {
      values[places[i]] = v.at(i).reshape(package_.slots()[places[i]].shape);
    }
  }

  void set_rows(SlotValues& values, const std::string& name, const at::Tensor& rows) const {
    values[package_.slot(name)] = with_zero_rows(rows, all_rows_);
  }

  at::Tensor rows_of(const SlotValues& values, const std::string& name) const {
    return values[package_.slot(name)].narrow(0, 0, rows_);
  }

  ParamTensors parameters_of(const SlotValues& values, const std::string& kind) const {
    ParamTensors found;
    for (const size_t i : package_.slots_of(kind)) found.push_back(values[i]);
    return found;
  }

  const Package& package_;
  SlotValues values_;
  at::Tensor logits_;
  int64_t rows_ = 0, all_rows_ = 0;
};

class CompiledLinearization : public Linearization, private Prepared {
 public:
  CompiledLinearization(const Package& package, SlotValues values, int64_t samples)
      : Prepared(package, std::move(values), samples) {
    package_.keep_for({"jvp", "vjp"}, values_);
  }

  const at::Tensor& features() const override { return logits(); }

  at::Tensor jvp(const ParamTensors& v) override {
    SlotValues values = values_;
    set_direction(values, v);
    package_.run("jvp", values);
    return rows_of(values, "u");
  }

  ParamTensors vjp(const at::Tensor& w) override {
    SlotValues values = values_;
    set_rows(values, "w", w);
    package_.run("vjp", values);
    return parameters_of(values, "g");
  }
};

/// H v = J' s + d/dtheta <J' r, v>, s = (d2l/dz2) J v, r = dl/dz: the loss stays outside the package.
class CompiledHessian : public HessianLinearization, private Prepared {
 public:
  CompiledHessian(const Package& package, SlotValues start, int64_t samples, const Loss& loss,
                  const at::Tensor& targets, const at::Tensor& weights)
      : Prepared(package, std::move(start), samples), loss_(loss), weights_(weights) {
    const at::AutoGradMode no_grad(false);
    set_rows(values_, "r", loss.gradient(logits_, targets, weights));
    package_.run("hvp_primal", values_);
    package_.keep_for({"hvp_jvp", "hvp_vjp"}, values_);
  }

  ParamTensors hvp(const ParamTensors& v) override {
    const at::AutoGradMode no_grad(false);
    SlotValues values = values_;
    set_direction(values, v);
    package_.run("hvp_jvp", values);
    set_rows(values, "s", loss_.curvature(logits_, weights_, rows_of(values, "u_of_hessian")));
    package_.run("hvp_vjp", values);
    return parameters_of(values, "h");
  }

 private:
  const Loss& loss_;
  at::Tensor weights_;
};

/// A forward pass whose layers are tapped. To autograd the logits are a function of the taps' outputs, whose
/// backward pass is the package's: gradients with respect to them can be asked for like those of any graph.
class TappedNode : public torch::autograd::Node, private Prepared {
 public:
  TappedNode(const Package& package, SlotValues start, int64_t samples)
      : Prepared(package, std::move(start), samples), samples_(samples) {
    const at::AutoGradMode no_grad(false);
    package_.run("taps", values_);
  }

  /// Tap i; of its output only the shape is known.
  Tap tap(size_t i, const ParamSpace& params) const {
    const PackageTap& from = package_.taps()[i];
    auto shape = package_.slots()[package_.slots_of("d")[i]].shape;
    shape[0] = samples_;
    Layer layer{params.index(from.weight), {}};
    if (!from.bias.empty()) layer.bias = params.index(from.bias);
    // Patches of a convolution come unfolded: a linear layer at every pixel.
    const bool unfolded = from.kind == LayerKind::convolution;
    return {.kind = unfolded ? LayerKind::linear : from.kind,
            .layer = layer,
            .input = values_[package_.slots_of("a")[i]].narrow(0, 0, samples_),
            .output = at::zeros(shape, logits_.options()).requires_grad_(),
            .tied = from.tied};
  }

  using Prepared::logits;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& cotangents) override {
    const at::AutoGradMode no_grad(false);
    SlotValues values = values_;
    set_rows(values, "w", cotangents.at(0));
    package_.run("taps_vjp", values);
    torch::autograd::variable_list gradients;
    for (const size_t i : package_.slots_of("d")) gradients.push_back(values[i].narrow(0, 0, samples_));
    return gradients;
  }

 private:
  int64_t samples_;
};

/// Norm of all elements and their products with four waves.
std::vector<double> sketch(const ParamTensors& tensors) {
  ParamTensors flat;
  for (const at::Tensor& t : tensors) flat.push_back(t.reshape({-1}).to(at::kDouble));
  const at::Tensor all = at::cat(flat);
  std::vector<double> values = {all.norm().item<double>()};
  for (int64_t stream = 4; stream < 8; ++stream) {
    values.push_back(all.dot(wave(all.numel(), stream)).item<double>());
  }
  return values;
}

void require_close(const std::string& name, const std::vector<double>& values,
                   const std::vector<double>& expected, double tolerance) {
  double gap = 0;
  for (size_t i = 0; i < expected.size(); ++i) gap = std::max(gap, std::abs(values[i] - expected.at(i)));
  if (gap <= tolerance * expected.at(0)) return;
  throw Refusal(
      fmt::format("the package's '{}' differs from what was recorded at the export by {:.1e} of its norm, "
                  "more than {:g}; "
                  "export the model again",
                  name, gap / expected.at(0), tolerance));
}

}  // namespace

CompiledNetwork::CompiledNetwork(ParamSpace params, std::map<std::string, at::Tensor> buffers,
                                 std::map<at::ScalarType, std::shared_ptr<const Package>> packages)
    : buffers_(std::move(buffers)), packages_(std::move(packages)) {
  params_ = std::move(params);
}

const Package& CompiledNetwork::package(at::ScalarType dtype) const {
  const auto found = packages_.find(dtype);
  if (found != packages_.end()) return *found->second;
  const std::string wanted = dtype == at::kDouble ? "float64" : "float32";
  throw Refusal("--dtype-compute " + wanted +
                ": the model was exported for another type; export it again with --dtype-compute " + wanted);
}

at::Tensor CompiledNetwork::forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs,
                                              Taps& taps) const {
  const Package& products = package(theta.at(0).scalar_type());
  if (products.taps().empty()) return forward(theta, inputs);
  const auto node = c10::make_intrusive<TappedNode>(products, start(products, theta, inputs), inputs.size(0));
  torch::autograd::variable_list outputs;
  for (size_t i = 0; i < products.taps().size(); ++i) {
    taps.push_back(node->tap(i, params_));
    outputs.push_back(taps.back().output);
  }
  node->set_next_edges(torch::autograd::collect_next_edges(outputs));
  at::Tensor logits = node->logits().clone();
  torch::autograd::set_history(logits, node);
  return logits;
}

int64_t CompiledNetwork::micro_batch() const { return packages_.begin()->second->micro_batch(); }

SlotValues CompiledNetwork::start(const Package& package, const ParamTensors& theta,
                                  const at::Tensor& inputs) const {
  if (inputs.size(0) > package.micro_batch()) {
    throw std::invalid_argument(fmt::format("compiled network: {} samples, but the package takes {}",
                                            inputs.size(0), package.micro_batch()));
  }
  SlotValues values(package.slots().size());
  const auto parameters = package.slots_of("theta");
  for (size_t i = 0; i < parameters.size(); ++i) {
    values[parameters[i]] = theta.at(i).detach().reshape(package.slots()[parameters[i]].shape);
  }
  for (const size_t i : package.slots_of("buffer")) {
    const Slot& slot = package.slots()[i];
    values[i] = buffers_.at(slot.name.substr(7)).to(slot.dtype).reshape(slot.shape);
  }
  values[package.slot("x")] = filled_up(inputs, package.micro_batch());
  return values;
}

at::Tensor CompiledNetwork::features(const ParamTensors& theta, const at::Tensor& inputs) const {
  return linearize(theta, inputs, Lifetime::one_product)->features();
}

std::unique_ptr<Linearization> CompiledNetwork::linearize(const ParamTensors& theta, const at::Tensor& inputs,
                                                          Lifetime) const {
  const Package& products = package(theta.at(0).scalar_type());
  return std::make_unique<CompiledLinearization>(products, start(products, theta, inputs), inputs.size(0));
}

std::unique_ptr<HessianLinearization> CompiledNetwork::linearize_gradient(
    const Loss& loss, const ParamTensors& theta, const at::Tensor& inputs, const at::Tensor& targets,
    const at::Tensor& weights, HessianMode mode) const {
  if (mode != HessianMode::reverse_over_reverse) {
    throw Refusal("--hessian-mode: an exported model has products in the layout reverse_over_reverse alone");
  }
  const Package& products = package(theta.at(0).scalar_type());
  return std::make_unique<CompiledHessian>(products, start(products, theta, inputs), inputs.size(0), loss,
                                           targets, weights);
}

void CompiledNetwork::initialize(uint64_t, VectorSpan) const {
  throw InputError("a compiled network comes with its weights and has no starting point to train from");
}

void CompiledNetwork::check(const ParamTensors& theta, const CheckValues& expected, bool hessian) const {
  const at::AutoGradMode no_grad(false);
  const at::ScalarType dtype = theta.at(0).scalar_type();
  const Package& products = package(dtype);
  const Slot& x = products.slots()[products.slot("x")];
  const int64_t vocabulary = products.vocabulary();
  const at::Tensor inputs = check_input(x.shape, vocabulary, dtype);
  SlotValues values = start(products, theta, inputs);
  const double tolerance = products.computes_in_float32() ? 1e-4 : 1e-8;
  const auto compare = [&](const std::string& name, const std::vector<size_t>& slots) {
    ParamTensors found;
    for (const size_t i : slots) found.push_back(values[i]);
    require_close(name, sketch(found), expected.at(name), tolerance);
  };
  products.run("primal", values);
  const at::Tensor& z = values[products.slot("z")];
  const auto rows = [&](int64_t stream) { return waves_like({z}, stream).front(); };
  const ParamTensors v = waves_like(theta, 0);
  const auto places = products.slots_of("v");
  for (size_t i = 0; i < places.size(); ++i) {
    values[places[i]] = v[i].reshape(products.slots()[places[i]].shape);
  }
  values[products.slot("r")] = rows(1);
  values[products.slot("w")] = rows(2);
  values[products.slot("s")] = rows(3);
  compare("z", {products.slot("z")});
  products.run("jvp", values);
  compare("u", {products.slot("u")});
  products.run("vjp", values);
  compare("g", products.slots_of("g"));
  if (!hessian) return;
  for (const char* name : {"hvp_primal", "hvp_jvp", "hvp_vjp"}) products.run(name, values);
  compare("h", products.slots_of("h"));
}

}  // namespace ritzflow
