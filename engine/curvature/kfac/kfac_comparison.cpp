#include "curvature/kfac/kfac_comparison.h"

#include "curvature/kfac/kfac.h"
#include "curvature/operators/restriction.h"

namespace ritzflow::curvature {
namespace {

using Operator = std::shared_ptr<krylov::LinearOperator>;

/// A K-FAC operator and the exact Gauss-Newton matrix, or their sub-blocks of one layer.
struct Compared {
  std::string layer;
  Operator kfac, ggn;
  std::vector<Eigenpair> leading;  ///< of kfac in closed form; empty where there is none
};

std::vector<Eigenpair> leading(krylov::LinearOperator& op, const KfacComparisonPlan& plan, bool exact) {
  if (exact) return leading_of_matrix(dense_matrix(op), plan.k);
  return leading_by_lanczos(op, plan.k, plan.max_iters);
}

MatrixComparison compare(const Compared& pair, const KfacComparisonPlan& plan, bool exact) {
  MatrixComparison result;
  result.layer = pair.layer;
  result.error = exact ? frobenius_error(*pair.kfac, *pair.ggn)
                       : estimated_frobenius_error(*pair.kfac, *pair.ggn, plan.probes,
                                                   static_cast<uint64_t>(plan.seed), pair.layer);
  result.of_kfac = pair.leading.empty() ? leading(*pair.kfac, plan, exact) : pair.leading;
  result.of_ggn = leading(*pair.ggn, plan, exact);
  result.leading = compare_leading(result.of_kfac, result.of_ggn);
  return result;
}

std::vector<double> part_of(const std::vector<double>& x, const std::vector<IndexRange>& ranges) {
  std::vector<double> part;
  for (const auto& range : ranges) {
    part.insert(part.end(), x.begin() + range.first, x.begin() + range.first + range.count);
  }
  return part;
}

Compared layer_of(const Compared& whole, const KroneckerOperator& kfac, size_t block, int64_t k) {
  const auto ranges = kfac.blocks()[block].coordinates();
  Compared layer{kfac.blocks()[block].name(), make_restriction(whole.kfac, ranges),
                 make_restriction(whole.ggn, ranges), leading_of_block(kfac, block, k)};
  for (auto& pair : layer.leading) pair.vector = part_of(pair.vector, ranges);
  return layer;
}

/// The matrix itself, so that a product of a layer does not cost one of the model.
Operator in_memory(krylov::LinearOperator& op) {
  return make_matrix_operator(std::make_shared<const Matrix>(dense_matrix(op)));
}

}  // namespace

KfacComparison compare_kfac(std::unique_ptr<krylov::LinearOperator> kfac,
                            std::unique_ptr<krylov::LinearOperator> ggn, const KfacComparisonPlan& plan,
                            const LayerProgress& progress) {
  const bool exact = kfac->dim() <= plan.exact_below;
  const Operator op = std::move(kfac);
  const auto* kronecker = dynamic_cast<const KroneckerOperator*>(op.get());
  Compared whole{"", exact ? in_memory(*op) : op, exact ? in_memory(*ggn) : Operator(std::move(ggn)), {}};
  if (kronecker && kronecker->has_closed_form()) whole.leading = leading_in_closed_form(*kronecker, plan.k);
  KfacComparison result{exact, compare(whole, plan, exact), {}};
  const size_t layers = kronecker && plan.layers ? kronecker->blocks().size() : 0;
  for (size_t b = 0; b < layers; ++b) {
    const Compared layer = layer_of(whole, *kronecker, b, plan.k);
    result.layers.push_back(compare(layer, plan, exact));
    progress(b + 1, layers, layer.layer);
  }
  return result;
}

}  // namespace ritzflow::curvature
