#include "curvature/kfac/kfac_cotangents.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/philox.h"
#include "curvature/operators/mc_fisher.h"

namespace ritzflow::curvature {
namespace {

constexpr int64_t most_separate_passes = 512;

/// c with all terms of a sample but number `term` set to 0.
at::Tensor only_term(const at::Tensor& c, int64_t term, int64_t rows_per_sample) {
  if (rows_per_sample == 1) return c;
  at::Tensor one = at::zeros_like(c);
  const std::vector<int64_t> by_sample = {-1, rows_per_sample, c.size(1)};
  one.view(by_sample).select(1, term).copy_(c.view(by_sample).select(1, term));
  return one;
}

/// A sign for each row, of the stream of this draw and column.
at::Tensor random_signs(const problem::Batch& batch, uint64_t seed, int64_t draw, int64_t column) {
  const Philox random(seed, "collect-kfac", fmt::format("signs {} {}", draw, column));
  at::Tensor signs = at::empty({batch.weights.size(0), 1}, at::kDouble);
  for (int64_t i = 0; i < signs.size(0); ++i) {
    const bool odd = (random.bits(static_cast<uint64_t>(batch.first_row + i)) & 1) != 0;
    signs.data_ptr<double>()[i] = odd ? 1 : -1;
  }
  return signs;
}

/// The columns of type2 or empirical, each as its terms are treated.
Cotangents by_terms(const model::Columns& column, int64_t columns, const problem::Batch& batch,
                    int64_t rows_per_sample, const CotangentOptions& options) {
  if (options.terms == TokenTerms::separate) {
    return {rows_per_sample * columns, [=](int64_t k) {
              return only_term(column(k / rows_per_sample), k % rows_per_sample, rows_per_sample);
            }};
  }
  if (options.terms == TokenTerms::sum) return {columns, column};
  const double scale = 1 / std::sqrt(static_cast<double>(options.mc_samples));
  return {options.mc_samples * columns, [=](int64_t k) {
            const at::Tensor c = column(k % columns);
            const at::Tensor signs = random_signs(batch, options.seed, k / columns, k % columns);
            return c * (scale * signs).to(c.options());
          }};
}

}  // namespace

TokenTerms choose_token_terms(TokenTerms asked, FisherType type, int64_t rows_per_sample, int64_t outputs) {
  if (asked != TokenTerms::automatic) return asked;
  const bool few = cotangent_count({.type = type}, rows_per_sample, outputs) <= most_separate_passes;
  return few ? TokenTerms::separate : TokenTerms::signs;
}

int64_t cotangent_count(const CotangentOptions& options, int64_t rows_per_sample, int64_t outputs) {
  if (options.type == FisherType::mc) return options.mc_samples;
  const int64_t columns = options.type == FisherType::type2 ? outputs : 1;
  if (options.terms == TokenTerms::separate) return rows_per_sample * columns;
  return options.terms == TokenTerms::signs ? options.mc_samples * columns : columns;
}

Cotangents make_cotangents(const model::Loss& loss, const problem::Batch& batch, const at::Tensor& logits,
                           int64_t rows_per_sample, const CotangentOptions& options) {
  const at::Tensor root_w = batch.weights.sqrt().unsqueeze(1);
  if (options.type == FisherType::mc) {
    const at::Tensor ones = at::ones_like(batch.weights);
    return {options.mc_samples, [=, &loss](int64_t s) {
              const at::Tensor y = draw_targets(loss, logits, batch.first_row, options.seed, s);
              return loss.gradient(logits, y, ones) * root_w /
                     std::sqrt(static_cast<double>(options.mc_samples));
            }};
  }
  if (options.type == FisherType::empirical) {
    // A row of weight 0 may have any target: its gradient is never formed.
    const at::Tensor gradient =
        loss.gradient(logits, batch.targets, batch.weights.gt(0).to(logits.scalar_type())) * root_w;
    return by_terms([gradient](int64_t) { return gradient; }, 1, batch, rows_per_sample, options);
  }
  const model::Columns column = loss.root_columns(logits, batch.targets, batch.weights);
  return by_terms([column, root_w](int64_t c) { return column(c) * root_w; }, logits.size(1), batch,
                  rows_per_sample, options);
}

}  // namespace ritzflow::curvature
