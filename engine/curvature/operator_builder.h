#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "curvature/kfac/kfac.h"
#include "curvature/operator_settings.h"
#include "curvature/operators/matrix.h"
#include "krylov/process/linear_operator.h"

namespace ritzflow {

/// An operator, ready for products, and what was decided while it was built.
struct BuiltOperator {
  std::unique_ptr<LinearOperator> op;
  OperatorSettings
      settings;  ///< step and batch_size as numbers, ggn_mode without auto, dtype_compute as used
  Digests digests;
  bool is_psd = false;            ///< by construction; false where nothing is known, as for a dense matrix
  std::string loss;               ///< cross_entropy | mse | bce; empty for a matrix
  int64_t samples = 0, rows = 0;  ///< of the data set: samples, and terms of the loss that count
  std::string fisher_unit;        ///< of a Fisher matrix: sample | token; else empty
  std::shared_ptr<const Matrix> matrix;  ///< of kind matrix
  Coverage coverage;                     ///< of kfac and ekfac
  int64_t loaded_memory = 0;             ///< bytes of the process before its first product
};

/// Loads what `settings` name and builds their operator. Throws InputError on wrong settings or files, and
/// where a file's digest is not the one in `expected`.
BuiltOperator build_operator(const OperatorSettings& settings, const Digests& expected = {});

}  // namespace ritzflow
