#include "model/package_check.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "core/error.h"
#include "model/prepared_batch.h"
#include "model/waves.h"

namespace ritzflow {
namespace {

/// Norm of all elements and their products with four waves.
std::vector<double> sketch(const ParamTensors& tensors) {
  ParamTensors flat;
  for (const at::Tensor& t : tensors) flat.push_back(t.reshape({-1}));
  const at::Tensor all = at::cat(flat).to(at::kDouble);
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
                  "more than {:g}; export the model again",
                  name, gap / expected.at(0), tolerance));
}

}  // namespace

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
    require_close(name, sketch(found), expected.at(name), tolerance);
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
  run({"hvp_jvp", "hvp_vjp"});
  compare("h", package.slots_of("h"));
}

}  // namespace ritzflow
