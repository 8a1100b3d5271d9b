#pragma once
#include <string>

#include "settings/operator_settings.h"

namespace ritzflow {

/// The collection of Kronecker factors.
struct CollectionSettings {
  WeightSharing kfac_approx = WeightSharing::expand;
  FisherType fisher_type = FisherType::type2;
  TokenTerms token_terms = TokenTerms::automatic;
  int64_t mc_samples = 1;
  int64_t seed = 0;
  bool no_ekfac = false;
  bool split_qkv = false;
  int64_t max_factor = 8192;
};

template <class Visit>
void each_setting(CollectionSettings& s, Visit&& visit) {
  visit(s.kfac_approx,
        {.name = "kfac_approx", .doc = "positions that share a weight", .only_for = kinds::kronecker});
  visit(s.fisher_type, {.name = "fisher_type",
                        .doc = "type2: exact, one backward pass per logit; mc: one per draw; empirical: the "
                               "data's targets",
                        .only_for = kinds::kronecker});
  visit(s.token_terms, {.name = "token_terms",
                        .doc = "type2, empirical: separate is exact, a backward pass per token; signs: all "
                               "tokens at once with random signs; sum: all at once, products between tokens "
                               "stay; auto: separate up to 512 passes, else signs",
                        .only_for = kinds::kronecker,
                        .stored = Stored::never});
  visit(s.mc_samples, {.name = "mc_samples",
                       .doc = "mc: draws per row; signs: draws of signs",
                       .only_for = kinds::kronecker,
                       .least = 1,
                       .stored = Stored::never});
  visit(s.seed, {.name = "seed", .doc = "seed of the draws", .least = 0, .stored = Stored::never});
  visit(s.no_ekfac, {.name = "no_ekfac",
                     .doc = "leave the second pass and `ekfac_eigenvalues` out",
                     .stored = Stored::never});
  visit(s.split_qkv, {.name = "split_qkv",
                      .doc = "take a fused query, key and value as three layers",
                      .only_for = kinds::kronecker,
                      .stored = Stored::never});
  visit(s.max_factor, {.name = "max_factor",
                       .doc = "rows of the widest dense factor; wider ones are kept as diagonal blocks",
                       .only_for = kinds::kronecker,
                       .least = 1,
                       .stored = Stored::never});
}

/// The segments of unfinished work.
struct CheckpointSettings {
  std::string checkpoint;
  double checkpoint_interval = 300;
  bool keep_checkpoint = false;
};

template <class Visit>
void each_setting(CheckpointSettings& s, Visit&& visit) {
  visit(s.checkpoint, {.name = "checkpoint",
                       .doc = "directory of immutable segments; the same command resumes from them",
                       .unit = "DIR",
                       .changes_results = false,
                       .stored = Stored::never});
  visit(s.checkpoint_interval, {.name = "checkpoint_interval",
                                .doc = "minimum time between segments",
                                .unit = "SECONDS",
                                .least = 0,
                                .changes_results = false,
                                .stored = Stored::never});
  visit(s.keep_checkpoint, {.name = "keep_checkpoint",
                            .doc = "leave the segments in place at the end",
                            .changes_results = false,
                            .stored = Stored::never});
}

/// What `metrics` adds to the reported values of a semi-definite operator, never to what Lanczos iterates on.
struct Regularization {
  RegularizationMode mode = RegularizationMode::off;
  double amount = 1e-8;
};

template <class Visit>
void each_setting(Regularization& s, Visit&& visit) {
  visit(s.mode, {.name = "regularization_mode",
                 .doc = "what is added to the reported values of a semi-definite operator: the amount itself "
                        "(fixed), that share of lambda_max (relative), or the share above a condition number "
                        "of 1e12 (auto)",
                 .stored = Stored::never});
  visit(s.amount, {.name = "regularization",
                   .doc = "the amount; with relative and auto a share",
                   .least = 0,
                   .stored = Stored::never});
}

}  // namespace ritzflow
