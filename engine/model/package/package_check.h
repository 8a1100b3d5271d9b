#pragma once
#include <map>
#include <string>
#include <vector>

#include "model/autodiff/param_space.h"
#include "model/package/package.h"

namespace ritzflow::model {

/// Norm and four projections of z, u, g and h at fixed vectors and the model's own weights: what its packages
/// must reproduce (stages/scripts/ritzflow/export/trace/verify.py, check_values).
using CheckValues = std::map<std::string, std::vector<double>>;

/// Throws Refusal unless norm and projections of `found` are the expected ones, within `tolerance` of the
/// norm.
void require_sketch(const std::string& name, const ParamTensors& found, const std::vector<double>& expected,
                    double tolerance);

/// Throws Refusal unless the package reproduces `expected`, within 1e-8 of each norm in float64 and 1e-4
/// where it computes in float32; `h` only if `hessian`. `values`: the slots of theta, buffers and x, the
/// latter by check_input().
void check_package(const Package& package, SlotValues values, const ParamTensors& theta,
                   const CheckValues& expected, bool hessian);

}  // namespace ritzflow::model
