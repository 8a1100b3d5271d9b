#include "model/package/package_check.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "core/error.h"
#include "model/autodiff/waves.h"
#include "model/package/prepared_batch.h"

namespace ritzflow::model {
namespace {

constexpr size_t kSketch = 5;

/// Norm of all elements and their products with four waves, tensor by tensor.
std::vector<double> sketch(const ParamTensors& tensors) {
  std::vector<double> values(kSketch);
  int64_t first = 0;
  for (const at::Tensor& t : tensors) {
    const at::Tensor flat = t.reshape({-1}).to(at::kCPU, at::kDouble);
    values[0] += flat.dot(flat).item<double>();
    for (int64_t i = 1; i < int64_t{kSketch}; ++i) {
      values[static_cast<size_t>(i)] += flat.dot(wave(flat.numel(), 3 + i, first)).item<double>();
    }
    first += flat.numel();
  }
  values[0] = std::sqrt(values[0]);
  return values;
}

}  // namespace

void require_sketch(const std::string& name, const ParamTensors& found, const std::vector<double>& expected,
                    double tolerance) {
  if (expected.size() != kSketch)
    throw InputError(fmt::format("the model has no {} values 'check/{}'; export it again", kSketch, name));
  const std::vector<double> values = sketch(found);
  double gap = 0;
  for (size_t i = 0; i < expected.size(); ++i) gap = std::max(gap, std::abs(values[i] - expected[i]));
  if (gap <= tolerance * expected[0]) return;
  throw Refusal(
      fmt::format("the package's '{}' differs from what was recorded at the export by {:.1e} of its norm, "
                  "more than {:g}; export the model again",
                  name, gap / expected[0], tolerance));
}

void check_package(const Package& package, SlotValues values, const ParamTensors& theta,
                   const CheckValues& expected, bool hessian) {
  const at::AutoGradMode no_grad(false);
  const double tolerance = package.computes_in_float32() ? 1e-4 : 1e-8;
  const auto run = [&](std::initializer_list<const char*> functions) {
    for (const char* function : functions) package.run(function, values);
  };
  const auto compare = [&](const std::string& name, const std::vector<size_t>& slots) {
    ParamTensors found;
    for (const size_t i : slots) found.push_back(std::move(values[i]));
    const auto right = expected.find(name);
    require_sketch(name, found, right == expected.end() ? std::vector<double>() : right->second, tolerance);
  };
  run({"primal"});
  const at::Tensor z = values[package.slot("z")];
  compare("z", {package.slot("z")});
  set_direction(package, values, waves_like(theta, 0));
  for (const auto& [slot, stream] : {std::pair("r", 1), std::pair("w", 2), std::pair("s", 3)}) {
    values[package.slot(slot)] = waves_like({z}, stream).front();
  }
  run({"jvp"});
  compare("u", {package.slot("u")});
  run({"vjp"});
  compare("g", package.slots_of("g"));
  if (!hessian) return;
  run({"hvp_primal"});
  package.keep_for({"hvp_jvp", "hvp_vjp"}, values);
  run({"hvp_jvp"});
  package.run_last("hvp_vjp", values);
  compare("h", package.slots_of("h"));
}

}  // namespace ritzflow::model
