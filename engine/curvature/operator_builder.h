#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "curvature/digests.h"
#include "curvature/kfac/kfac.h"
#include "curvature/memory_plan.h"
#include "curvature/operators/matrix.h"
#include "krylov/process/linear_operator.h"
#include "settings/operator_settings.h"

namespace ritzflow::curvature {

/// An operator, ready for products, and what was decided while it was built.
struct BuiltOperator {
  std::unique_ptr<krylov::LinearOperator> op;
  OperatorSettings settings;       ///< step and batch_size as numbers, no `auto`, dtype_compute as used
  std::optional<MemoryPlan> plan;  ///< of operators that have products with the data
  Digests digests;
  bool is_psd = false;            ///< by construction; false where nothing is known, as for a dense matrix
  std::string loss;               ///< cross_entropy | mse | bce; empty for a matrix
  int64_t samples = 0, rows = 0;  ///< of the data set: samples, and terms of the loss that count
  std::optional<FisherUnit> mc_fisher_unit;  ///< of mc_fisher, which has no setting for it
  std::shared_ptr<const Matrix> matrix;      ///< of kind matrix
  Coverage coverage;                         ///< of kfac and ekfac
  int64_t loaded_memory = 0;                 ///< bytes of the process before its first product

  /// Bytes of host memory that a product takes: those of the plan, on a GPU the two vectors [n] alone; 0
  /// without a plan.
  int64_t product_memory() const;
};

/// Loads what `settings` name and builds their operator, by `plan` where there is one already. Throws
/// InputError on wrong settings or files, and where a file's digest is not the one in `expected`.
BuiltOperator build_operator(const OperatorSettings& settings, const Digests& expected = {},
                             const std::optional<MemoryPlan>& plan = std::nullopt);

}  // namespace ritzflow::curvature
