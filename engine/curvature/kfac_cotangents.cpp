#include "curvature/kfac_cotangents.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "core/nearest.h"
#include "curvature/mc_fisher.h"

namespace ritzflow {
namespace {

/// Column c of S with S S' = d2l/dz2, a row of logits a row. Mean squared error: S = I. Cross-entropy: S =
/// diag(sqrt p) - p sqrt(p)', since S S' = diag p - p p'. Binary cross-entropy: S = diag(sqrt(s (1 - s))).
at::Tensor root_column(const Loss& loss, const at::Tensor& z, int64_t c) {
  at::Tensor column = at::zeros_like(z);
  if (loss.name() == "mse") {
    column.select(1, c).fill_(1);
    return column;
  }
  if (loss.name() == "bce") {
    const at::Tensor s = z.select(1, c).sigmoid();
    column.select(1, c).copy_((s * (1 - s)).sqrt());
    return column;
  }
  const at::Tensor p = at::softmax(z, 1), root = p.select(1, c).sqrt();
  column.sub_(p * root.unsqueeze(1)).select(1, c).add_(root);
  return column;
}

/// c with all terms of a sample but number `term` set to 0.
at::Tensor only_term(const at::Tensor& c, int64_t term, int64_t rows_per_sample) {
  if (rows_per_sample == 1) return c;
  at::Tensor one = at::zeros_like(c);
  const std::vector<int64_t> by_sample = {-1, rows_per_sample, c.size(1)};
  one.view(by_sample).select(1, term).copy_(c.view(by_sample).select(1, term));
  return one;
}

}  // namespace

FisherType parse_fisher_type(const std::string& word) {
  if (word == "type2") return FisherType::type2;
  if (word == "mc") return FisherType::mc;
  if (word == "empirical") return FisherType::empirical;
  throw InputError(fmt::format("--fisher-type is '{}', expected one of type2, mc, empirical{}", word,
                               did_you_mean(word, {"type2", "mc", "empirical"})));
}

Cotangents make_cotangents(const Loss& loss, const Batch& batch, const at::Tensor& logits,
                           int64_t rows_per_sample, const CotangentOptions& options) {
  const at::Tensor ones = at::ones_like(batch.weights), root_w = batch.weights.sqrt().unsqueeze(1);
  const int64_t terms = rows_per_sample;
  if (options.type == FisherType::mc) {
    return {options.mc_samples, [=, &loss](int64_t s) {
              const at::Tensor y = draw_targets(loss, logits, batch.first_row, options.seed, s);
              return loss.gradient(logits, y, ones) * root_w /
                     std::sqrt(static_cast<double>(options.mc_samples));
            }};
  }
  if (options.type == FisherType::empirical) {
    // A row of weight 0 may have any target: its gradient is never formed.
    const at::Tensor safe =
        loss.gradient(logits, batch.targets, batch.weights.gt(0).to(logits.scalar_type()));
    return {terms, [=](int64_t term) { return only_term(safe * root_w, term, terms); }};
  }
  return {terms * logits.size(1), [=, &loss](int64_t k) {
            return only_term(root_column(loss, logits, k / terms) * root_w, k % terms, terms);
          }};
}

}  // namespace ritzflow
