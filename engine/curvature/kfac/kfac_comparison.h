#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "curvature/kfac/leading.h"
#include "curvature/operators/frobenius.h"
#include "krylov/process/linear_operator.h"

namespace ritzflow::curvature {

/// How K-FAC and the exact Gauss-Newton matrix are compared.
struct KfacComparisonPlan {
  int64_t k = 10;              ///< leading eigenpairs
  int64_t max_iters = 200;     ///< Lanczos steps for them above `exact_below`
  int64_t probes = 30;         ///< random vectors of the estimated norm above `exact_below`
  int64_t exact_below = 2000;  ///< number of parameters up to which every column is formed
  int64_t seed = 0;            ///< of the random vectors
  bool layers = true;          ///< also the diagonal blocks of each layer
};

/// Two symmetric matrices K (K-FAC) and F (Gauss-Newton) side by side, whole or restricted to one layer.
struct MatrixComparison {
  std::string layer;  ///< empty for the whole matrices
  FrobeniusError error;
  std::vector<Eigenpair> of_kfac, of_ggn;
  LeadingComparison leading;
};

struct KfacComparison {
  bool exact = false;  ///< whether every column was formed
  MatrixComparison whole;
  std::vector<MatrixComparison>
      layers;  ///< empty for an operator without layers, e.g. of filtered parameters
};

/// Called after each layer: how many are done, of how many, and the last one's name.
using LayerProgress = std::function<void(size_t done, size_t total, const std::string& layer)>;

/// ||K - F||_F / ||F||_F, the leading eigenvalues and the angles between the spans of their vectors. Leading
/// pairs of K come in closed form where the operator has one, so that no copy of a multiple eigenvalue is
/// missed.
KfacComparison compare_kfac(std::unique_ptr<krylov::LinearOperator> kfac,
                            std::unique_ptr<krylov::LinearOperator> ggn, const KfacComparisonPlan& plan,
                            const LayerProgress& progress);

}  // namespace ritzflow::curvature
