#pragma once
#include <ATen/core/Tensor.h>

#include <mutex>
#include <shared_mutex>

#include "model/autodiff/param_space.h"

/// What the linearizations share of LibTorch's automatic differentiation.
namespace ritzflow::model {

/// Detached views of theta that ask for gradients.
ParamTensors make_leaves(const ParamTensors& theta);

/// Throws std::invalid_argument unless v has the types and shapes of theta: LibTorch computes silently wrong
/// tangents where the types differ.
void check_direction(const ParamTensors& theta, const ParamTensors& v);

/// Parameters that the batch does not touch have no gradient: zero.
ParamTensors zeros_where_undefined(ParamTensors gradients, const ParamTensors& theta);

/// w'd(outputs)/d(theta) with zeros for what is not touched; the graph is kept.
ParamTensors pulled_back(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& cotangents,
                         const ParamTensors& theta);

/// While it lives, this thread may use tangents. They live in the one level of forward-mode AD that LibTorch
/// has, which all threads share.
class TangentScope {
 public:
  TangentScope();

 private:
  std::shared_lock<std::shared_mutex> lock_;
};

/// The same for one thread at a time, and drops all tangents at its end. Needed where tangents carry a graph:
/// the graph holds the tensors that hold the tangents, and nothing else would free them.
class ExclusiveTangentScope {
 public:
  ExclusiveTangentScope();
  ~ExclusiveTangentScope();

 private:
  std::unique_lock<std::shared_mutex> lock_;
};

/// x with the tangent v, within a scope as above.
at::Tensor make_dual(const at::Tensor& x, const at::Tensor& v);
ParamTensors make_duals(const ParamTensors& x, const ParamTensors& v);

/// The tangent of x, or zeros where it has none.
at::Tensor tangent_of(const at::Tensor& x);

/// Whether a tangent and a graph meet in x: second derivatives are taken through forward mode. Some kernels
/// of LibTorch have no formula for that or, worse, a wrong one (layers.h).
bool has_tangent_and_graph(const at::Tensor& x);

}  // namespace ritzflow::model
