#include "curvature/empirical_fisher.h"

#include "curvature/jacobian_product.h"

namespace ritzflow {

std::unique_ptr<LinearOperator> make_empirical_fisher(std::shared_ptr<const EmpiricalRisk> risk) {
  const auto outer = [loss = &risk->loss_function()](const Batch& batch, const Head&) {
    return gradient_outer_products(*loss, batch.targets, batch.weights);
  };
  return make_jacobian_product(std::move(risk), outer);
}

}  // namespace ritzflow
