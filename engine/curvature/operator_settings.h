#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "curvature/memory_plan.h"
#include "curvature/operators/matrix.h"

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
  int64_t memory = default_memory;   ///< bytes of the device that products may use
  std::string linearizations;        ///< kept | rebuilt; empty: by the memory plan
  int64_t memory_needed = 0;         ///< bytes of that plan
  int64_t in_flight = 1;             ///< micro-batches at once that the memory plan allows
  int compute_threads = 1;           ///< of a micro-batch, inside LibTorch
  std::string device = "cpu";        ///< cpu | cuda: where products run; vectors stay in host memory
  bool force = false;                ///< a Hessian in bfloat16 whatever its noise
  int64_t seed = 0;                  ///< of the Monte-Carlo draws and of the probes' vectors
  MatrixPlace matrix;
  std::filesystem::path kfac;        ///< kfac.h5 of the kinds kfac and ekfac
  std::string uncovered = "refuse";  ///< zero | identity | exact_ggn | refuse
  double damping = 0;                ///< of kfac and ekfac: (K + damping I)^power
  double power = 1;                  ///< 1, -1 or -0.5
};

/// Bytes of host memory that a product takes: those of the plan, on a GPU the two vectors [n] alone; 0
/// without a plan.
int64_t host_memory_needed(const OperatorSettings& settings, int64_t n);

/// Content digests of the files under an operator; an empty one is unknown, or of a file that is not used.
struct Digests {
  std::string data, model, matrix, kfac;
};

/// The values of `--operator`.
const std::vector<std::string>& operator_kinds();

/// Throws InputError, with the nearest choice, where `value` of `flag` is none of them.
void require_one_of(const std::string& flag, const std::string& value,
                    const std::vector<std::string>& choices);

/// Throws InputError where the contents of `file` are not those that an operator was built from; any will do
/// where `expected` is empty.
void require_digest(const std::filesystem::path& file, const std::string& actual,
                    const std::string& expected);

}  // namespace ritzflow
