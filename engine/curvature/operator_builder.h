#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "curvature/dataset.h"
#include "curvature/empirical_risk.h"
#include "curvature/kfac.h"
#include "curvature/matrix.h"
#include "curvature/memory_plan.h"
#include "krylov/linear_operator.h"

namespace ritzflow {

/// What the user asks of build-operator; the names are those of its flags.
struct OperatorSettings {
  std::string kind;  ///< `--operator`: hessian | ggn | mc_fisher | empirical_fisher | kfac | ekfac | matrix
  std::filesystem::path data;
  std::filesystem::path model;
  std::string step = "final";     ///< "final" or a number
  std::string ggn_mode = "auto";  ///< true | empirical | auto (= true)
  int64_t mc_samples = 1;         ///< draws a row of mc_fisher
  std::vector<std::string> params_filter;
  int64_t batch_size = 0;                 ///< samples in a micro-batch; 0: by the memory plan
  std::string dtype_compute = "float32";  ///< float32 | float64 | bfloat16; a matrix is applied in float64
  std::string hessian_mode = "reverse_over_reverse";  ///< or forward_over_reverse, reverse_over_forward
  std::string fisher_unit = "auto";  ///< of empirical_fisher: sample | token | auto (= token)
  double fisher_clip = 0;            ///< of empirical_fisher: L2 bound of a sample's gradient; 0: none
  int64_t memory = default_memory;   ///< bytes that products may use
  std::string linearizations;        ///< kept | rebuilt; empty: by the memory plan
  int64_t memory_needed = 0;         ///< bytes of that plan
  int64_t in_flight = 1;             ///< micro-batches at once that the memory plan allows
  int compute_threads = 1;           ///< of a micro-batch, inside LibTorch
  bool force = false;                ///< a Hessian in bfloat16 whatever its noise
  int64_t seed = 0;                  ///< of the Monte-Carlo draws and of the probes' vectors
  MatrixPlace matrix;
  std::filesystem::path kfac;        ///< kfac.h5 of the kinds kfac and ekfac
  std::string uncovered = "refuse";  ///< zero | identity | exact_ggn | refuse
  double damping = 0;                ///< of kfac and ekfac: (K + damping I)^power
  double power = 1;                  ///< 1, -1 or -0.5
};

/// Content digests of the files under an operator; an empty one is unknown, or of a file that is not used.
struct Digests {
  std::string data, model, matrix, kfac;
};

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

/// The risk at a point, and the settings and digests of what it was made from.
struct RiskPoint {
  std::shared_ptr<const EmpiricalRisk> risk;
  OperatorSettings settings;  ///< step and batch_size as numbers
  Digests digests;
};

/// Loads data, model and step of `settings`. Throws InputError on wrong settings or files, and where a file's
/// digest is not the one in `expected`.
RiskPoint load_risk(const OperatorSettings& settings, const Digests& expected = {});

/// Samples in a micro-batch where the user names none: about 512 rows and 2^20 input elements, at least one
/// sample, at most all. It depends on the data alone, never on the machine.
int64_t default_batch_size(const Dataset& data);

/// Loads what `settings` name and builds their operator. Throws InputError on wrong settings or files, and
/// where a file's digest is not the one in `expected`.
BuiltOperator build_operator(const OperatorSettings& settings, const Digests& expected = {});

}  // namespace ritzflow
