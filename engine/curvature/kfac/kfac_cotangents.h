#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "problem/empirical_risk.h"
#include "settings/choices.h"

namespace ritzflow::curvature {

struct CotangentOptions {
  FisherType type = FisherType::type2;
  TokenTerms terms = TokenTerms::separate;
  int64_t mc_samples = 1;  ///< draws of targets (mc) or of signs
  uint64_t seed = 0;
};

/// `asked`; for automatic, separate where that takes at most 512 backward passes, else signs.
TokenTerms choose_token_terms(TokenTerms asked, FisherType type, int64_t rows_per_sample, int64_t outputs);

/// Backward passes that make_cotangents() asks for.
int64_t cotangent_count(const CotangentOptions& options, int64_t rows_per_sample, int64_t outputs);

/// Vectors on the logits [rows, C], one after the other, such that
///   sum_k (J_n' c_kn)(J_n' c_kn)'  over samples n  is W times the matrix that is meant.
/// In mc the products between the terms of a sample vanish on average, and one vector carries all terms.
struct Cotangents {
  int64_t count = 0;
  std::function<at::Tensor(int64_t k)> at;
};

Cotangents make_cotangents(const model::Loss& loss, const problem::Batch& batch, const at::Tensor& logits,
                           int64_t rows_per_sample, const CotangentOptions& options);

}  // namespace ritzflow::curvature
