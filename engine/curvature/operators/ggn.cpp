#include "curvature/operators/ggn.h"

#include <numeric>

#include "curvature/operators/jacobian_product.h"
#include "model/autodiff/linearization.h"

namespace ritzflow::curvature {
namespace {

class RankOne : public krylov::LinearOperator {
 public:
  explicit RankOne(std::vector<double> g) : g_(std::move(g)) {}

  int64_t dim() const override { return static_cast<int64_t>(g_.size()); }

  void apply(VectorView v, VectorSpan out) override {
    const double projection = std::inner_product(g_.begin(), g_.end(), v.begin(), 0.0);
    for (size_t i = 0; i < g_.size(); ++i) out[i] = g_[i] * projection;
  }

 private:
  std::vector<double> g_;
};

}  // namespace

std::unique_ptr<krylov::LinearOperator> make_ggn(std::shared_ptr<const problem::EmpiricalRisk> risk) {
  risk->loss_function().require_gauss_newton();
  const auto curvature = [loss = &risk->loss_function()](const problem::Batch& batch, const model::Head&) {
    return model::loss_curvature(*loss, batch.targets, batch.weights);
  };
  return make_jacobian_product(std::move(risk), curvature);
}

std::unique_ptr<krylov::LinearOperator> make_gradient_outer_product(const problem::EmpiricalRisk& risk) {
  std::vector<double> g(static_cast<size_t>(risk.dim()));
  risk.gradient(g);
  return std::make_unique<RankOne>(std::move(g));
}

}  // namespace ritzflow::curvature
