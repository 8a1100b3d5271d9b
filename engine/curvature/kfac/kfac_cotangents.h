#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "problem/empirical_risk.h"

namespace ritzflow {

/// Which second moment of the outputs' gradients the factors estimate.
///   type2      sum over the columns of S_i with S_i S_i' = d2l/dz_i2: the generalised Gauss-Newton matrix;
///   mc         gradients for targets drawn from the model: unbiased for the same matrix;
///   empirical  gradients for the targets of the data.
enum class FisherType { type2, mc, empirical };

/// Throws InputError on another word.
FisherType parse_fisher_type(const std::string& word);

/// How the terms of the loss that one sample owns (T tokens) go back through the network, for type2 and
/// empirical. The factors average over terms, so that products of two terms' gradients have no place in
/// them.
///   separate  each by itself: no such product arises; T backward passes where one does for the others;
///   signs     all at once, each with a random sign of its own: such products vanish on average;
///   sum       all at once: such products stay, as in most published implementations.
enum class TokenTerms { separate, signs, sum };

std::string to_string(TokenTerms terms);

struct CotangentOptions {
  FisherType type = FisherType::type2;
  TokenTerms terms = TokenTerms::separate;
  int64_t mc_samples = 1;  ///< draws of targets (mc) or of signs
  uint64_t seed = 0;
};

/// `word` is separate, signs, sum, or auto: separate where that takes at most 512 backward passes, else
/// signs. Throws InputError on another word.
TokenTerms choose_token_terms(const std::string& word, FisherType type, int64_t rows_per_sample,
                              int64_t outputs);

/// Backward passes that make_cotangents() asks for.
int64_t cotangent_count(const CotangentOptions& options, int64_t rows_per_sample, int64_t outputs);

/// Vectors on the logits [rows, C], one after the other, such that
///   sum_k (J_n' c_kn)(J_n' c_kn)'  over samples n  is W times the matrix that is meant.
/// In mc the products between the terms of a sample vanish on average, and one vector carries all terms.
struct Cotangents {
  int64_t count = 0;
  std::function<at::Tensor(int64_t k)> at;
};

Cotangents make_cotangents(const Loss& loss, const Batch& batch, const at::Tensor& logits,
                           int64_t rows_per_sample, const CotangentOptions& options);

}  // namespace ritzflow
