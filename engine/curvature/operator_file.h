#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "curvature/operator_builder.h"
#include "curvature/probes.h"
#include "krylov/process/linear_operator.h"
#include "krylov/process/operator_facts.h"

namespace ritzflow::curvature {

/// What is known about a frozen operator.
struct OperatorInfo {
  OperatorKind kind = OperatorKind::matrix;
  int64_t n_params = 0;         ///< dimension, after the filter
  bool is_psd = false;          ///< by construction
  int64_t batch_size_used = 0;  ///< samples; 0 for a matrix
  Arithmetic dtype_compute = Arithmetic::float64;
  int64_t step = 0;  ///< training step of the model; 0 for a matrix
  int64_t seed = 0;
  Probes probes;
  std::string sha256;  ///< content digest of operator.h5

  /// ||A||, a lower estimate by power iterations.
  double norm() const { return probes.norm; }
  /// Operator noise relative to the norm: additivity + repeatability.
  double noise() const { return probes.additivity + probes.repeatability; }
  /// Of the arithmetic of products.
  double epsilon() const;
  krylov::OperatorFacts facts() const;
  /// Whether the same vector gave the same bits.
  bool deterministic() const { return probes.repeatability == 0; }
};

/// Machine epsilon, the distance from 1 to the next larger number.
double machine_epsilon(Arithmetic arithmetic);

/// What `probes` have measured of an operator.
krylov::OperatorFacts facts_of(const Probes& probes, Arithmetic arithmetic, bool is_psd);

/// Throws Refusal for a Hessian in bfloat16 that is not forced.
void require_usable(const OperatorSettings& settings, const Probes& probes);

/// Probes `built` through `products`, the same map. Throws Refusal if it is not a symmetric linear map.
Probes checked_probes(const BuiltOperator& built, krylov::LinearOperator& products);

/// Writes operator.h5: settings, digests, probes; a matrix of up to 64 MiB itself. Paths of the files it
/// refers to lie in /provenance, relative to `out`'s folder: a tree of results can be moved, and the content
/// digest speaks of contents alone.
OperatorInfo write_operator(const BuiltOperator& built, const Probes& probes,
                            const std::filesystem::path& out, const nlohmann::json& provenance);

struct OpenOperator {
  std::unique_ptr<krylov::LinearOperator> op;
  OperatorInfo info;
  OperatorSettings settings;   ///< that build it again
  double coverage = 1;         ///< of kfac and ekfac: share of the elements that factors cover
  int64_t loaded_memory = 0;   ///< bytes of the process before its first product
  int64_t product_memory = 0;  ///< bytes of host memory that a product takes
};

/// Reopens the operator of an operator.h5. Throws InputError if a file that it refers to is gone or has other
/// contents than when the operator was built.
OpenOperator open_operator(const std::filesystem::path& path);

}  // namespace ritzflow::curvature
