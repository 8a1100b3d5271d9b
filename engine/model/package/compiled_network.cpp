#include "model/package/compiled_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "model/autodiff/waves.h"
#include "model/package/compiled_linearization.h"
#include "model/package/compiled_taps.h"

namespace ritzflow::model {
namespace {

// A tensor without dimensions may be stored as one element.
bool fits(at::IntArrayRef stored, const Slot& slot) {
  return stored == at::IntArrayRef(slot.shape) || (slot.shape.empty() && stored == at::IntArrayRef({1}));
}

}  // namespace

CompiledNetwork::CompiledNetwork(ParamSpace params, std::map<std::string, at::Tensor> buffers,
                                 Packages packages, ModelInputs inputs)
    : buffers_(std::move(buffers)),
      shared_(std::move(inputs.shared)),
      fields_(std::move(inputs.fields)),
      packages_(std::move(packages)) {
  params_ = std::move(params);
}

const Package& CompiledNetwork::package(at::ScalarType dtype) const {
  return package_in(packages_, dtype, "model");
}

at::Tensor CompiledNetwork::forward_with_taps(const ParamTensors& theta, const at::Tensor& inputs,
                                              Taps& taps) const {
  if (package(theta.at(0).scalar_type()).taps().empty()) return forward(theta, inputs);
  return forward_with_package_taps(prepare(theta, inputs), params_, taps);
}

void CompiledNetwork::require_fitting_packages(const std::string& origin) const {
  const auto fail = [&](const std::string& problem) {
    throw InputError(origin + ": " + problem + "; export the model again");
  };
  const auto& parameters = params_.parameters();
  for (const auto& [dtype, package] : packages_) {
    const auto& slots = package->slots();
    const auto theta = package->slots_of("theta");
    if (theta.size() != parameters.size())
      fail(fmt::format("has {} parameters, its package {}", parameters.size(), theta.size()));
    for (size_t i = 0; i < theta.size(); ++i) {
      const Slot& slot = slots[theta[i]];
      if (slot.name.substr(6) != parameters[i].name || !fits(parameters[i].shape, slot))
        fail(fmt::format("parameter '{}' of shape [{}] is '{}' of shape [{}] in its package",
                         parameters[i].name, fmt::join(parameters[i].shape, ", "), slot.name.substr(6),
                         fmt::join(slot.shape, ", ")));
    }
    for (const size_t i : package->slots_of("buffer")) {
      const std::string name = slots[i].name.substr(7);
      const at::Tensor* found = buffers_.find(name);
      if (found == nullptr) fail("'buffers/" + name + "' is missing");
      if (!fits(found->sizes(), slots[i]))
        fail(fmt::format("'buffers/{}' has shape [{}], expected [{}]", name, fmt::join(found->sizes(), ", "),
                         fmt::join(slots[i].shape, ", ")));
    }
  }
}

int64_t CompiledNetwork::micro_batch() const { return packages_.begin()->second->micro_batch(); }

SlotValues CompiledNetwork::start(const Package& package, const ParamTensors& theta,
                                  const Arguments& arguments) const {
  SlotValues values(package.slots().size());
  const auto parameters = package.slots_of("theta");
  for (size_t i = 0; i < parameters.size(); ++i) {
    values[parameters[i]] = theta.at(i).detach().reshape(package.slots()[parameters[i]].shape);
  }
  set_buffers(package, buffers_, theta.at(0).device(), values);
  set_arguments(package, arguments, theta.at(0).device(), values);
  return values;
}

PreparedBatch CompiledNetwork::prepare(const ParamTensors& theta, const at::Tensor& inputs) const {
  const Package& products = package(theta.at(0).scalar_type());
  if (inputs.size(0) > products.micro_batch()) {
    throw std::invalid_argument(fmt::format("compiled network: {} samples, but the package takes {}",
                                            inputs.size(0), products.micro_batch()));
  }
  Arguments arguments = arguments_of(filled_up(inputs, products.micro_batch()), fields_);
  for (const size_t i : products.slots_of("shared")) {
    const Slot& slot = products.slots()[i];
    arguments[slot.name] = shared_.at(slot.name.substr(7), theta.at(0).device(), slot.dtype);
  }
  return {products, start(products, theta, arguments), inputs.size(0)};
}

at::Tensor CompiledNetwork::features(const ParamTensors& theta, const at::Tensor& inputs) const {
  return prepare(theta, inputs).logits();
}

std::unique_ptr<Linearization> CompiledNetwork::linearize(const ParamTensors& theta, const at::Tensor& inputs,
                                                          Lifetime) const {
  return linearize_package(prepare(theta, inputs));
}

std::unique_ptr<HessianLinearization> CompiledNetwork::linearize_gradient(
    const Loss& loss, const ParamTensors& theta, const at::Tensor& inputs, const at::Tensor& targets,
    const at::Tensor& weights, HessianMode mode) const {
  if (mode != HessianMode::reverse_over_reverse) {
    throw Refusal("--hessian-mode: an exported model has products in the layout reverse_over_reverse alone");
  }
  return linearize_package_gradient(prepare(theta, inputs), loss, targets, weights);
}

void CompiledNetwork::initialize(uint64_t, VectorSpan) const {
  throw InputError("a compiled network comes with its weights and has no starting point to train from");
}

void CompiledNetwork::check(const ParamTensors& theta, Arguments arguments, const CheckValues& expected,
                            bool hessian) const {
  const Package& products = package(theta.at(0).scalar_type());
  if (arguments.empty()) {
    const Slot& x = products.slots()[products.slot("x")];
    arguments["x"] = check_input(x.shape, products.vocabulary(), theta.at(0).options());
  }
  check_package(products, start(products, theta, arguments), theta, expected, hessian);
}

}  // namespace ritzflow::model
