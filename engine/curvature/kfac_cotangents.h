#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "curvature/empirical_risk.h"

namespace ritzflow {

/// Which second moment of the outputs' gradients the factors estimate.
///   type2      sum over the columns of S_i with S_i S_i' = d2l/dz_i2: exactly the generalised Gauss-Newton
///              matrix;
///   mc         gradients for targets drawn from the model: unbiased for the same matrix;
///   empirical  gradients for the targets of the data.
enum class FisherType { type2, mc, empirical };

/// Throws InputError on another word.
FisherType parse_fisher_type(const std::string& word);

struct CotangentOptions {
  FisherType type = FisherType::type2;
  int64_t mc_samples = 1;
  uint64_t seed = 0;
};

/// Vectors on the logits [rows, C], one after the other, such that
///   sum_k (J_n' c_kn)(J_n' c_kn)'  over samples n  is W times the matrix that is meant.
/// The terms of the loss that one sample owns (tokens) have vectors of their own for type2 and empirical, so
/// that no products between different terms arise; in mc those vanish in expectation, and one vector carries
/// all terms.
struct Cotangents {
  int64_t count = 0;
  std::function<at::Tensor(int64_t k)> at;
};

Cotangents make_cotangents(const Loss& loss, const Batch& batch, const at::Tensor& logits,
                           int64_t rows_per_sample, const CotangentOptions& options);

}  // namespace ritzflow
