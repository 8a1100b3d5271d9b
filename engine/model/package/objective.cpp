#include "model/package/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include "core/error.h"

namespace ritzflow::model {
namespace {

class Objective : public Loss {
 public:
  explicit Objective(std::string name) : name_(std::move(name)) {}

  std::string name() const override { return name_; }
  bool is_convex() const override { return false; }
  bool is_likelihood() const override { return false; }

  void require_gauss_newton() const override {
    throw Refusal(
        "the objective '" + name_ +
        "' is not a function of a module's outputs alone, so that it has no Gauss-Newton matrix, Fisher "
        "matrix of drawn targets or Kronecker factors; use the operator hessian or empirical_fisher");
  }

  at::Tensor value(const at::Tensor& z, const at::Tensor&, const at::Tensor& w) const override {
    return (z.select(1, 0).to(at::kDouble) * w.to(at::kDouble)).sum();
  }

  at::Tensor gradient(const at::Tensor& z, const at::Tensor&, const at::Tensor& w) const override {
    return w.to(z.scalar_type()).unsqueeze(1);
  }

  at::Tensor curvature(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                       const at::Tensor& u) const override {
    return at::zeros_like(u);
  }

  Columns root_columns(const at::Tensor&, const at::Tensor&, const at::Tensor&) const override {
    require_gauss_newton();
    return {};
  }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Loss> make_objective(const std::string& name) { return std::make_unique<Objective>(name); }

}  // namespace ritzflow::model
