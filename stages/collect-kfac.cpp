#include <ATen/core/grad_mode.h>
#include <spdlog/spdlog.h>

#include "app/number_checks.h"
#include "app/stage.h"
#include "checkpoint/checkpoint_flags.h"
#include "core/error.h"
#include "curvature/kfac/kfac_collect.h"
#include "curvature/kfac/kfac_file.h"
#include "curvature/kfac/kfac_sums_file.h"
#include "curvature/risk_point.h"

namespace ritzflow {
namespace {

struct Flags {
  OperatorSettings settings;
  std::string kfac_approx = "expand", fisher_type = "type2", token_terms = "auto";
  int64_t mc_samples = 1;
  PlanOptions plan;
  bool no_ekfac = false;
  CheckpointFlags checkpoint;
};

constexpr int kAlgorithm = 3;

void declare(CLI::App& app, Flags& flags) {
  OperatorSettings& s = flags.settings;
  app.option_defaults()->group("Input");
  app.add_option("--data", s.data, "data.h5: the samples that the factors average over")
      ->type_name("FILE")
      ->required();
  app.add_option("--model", s.model, "model.h5: the network and its parameters theta")
      ->type_name("FILE")
      ->required();
  app.add_option("--step", s.step, "training step: a number in model.h5, or final")->capture_default_str();
  app.option_defaults()->group("Factors");
  app.add_option("--kfac-approx", flags.kfac_approx, "expand | reduce: positions that share a weight")
      ->capture_default_str();
  app.add_option("--fisher-type", flags.fisher_type,
                 "type2 (exact; one backward pass per logit) | mc (one per draw) | empirical")
      ->capture_default_str();
  app.add_option(
         "--token-terms", flags.token_terms,
         "type2, empirical: separate (exact; a backward pass a token) | signs (all tokens at once, random "
         "signs) | sum (all at once; products between tokens stay) | auto (separate up to 512 passes)")
      ->capture_default_str();
  app.add_option("--mc-samples", flags.mc_samples, "mc: draws per row; signs: draws of signs")
      ->capture_default_str();
  app.add_option("--seed", s.seed, "seed of the draws")->check(integer_from(0))->capture_default_str();
  app.add_flag("--no-ekfac", flags.no_ekfac, "leave the second pass and `ekfac_eigenvalues` out");
  app.add_flag("--split-qkv", flags.plan.split_qkv, "a fused query, key and value as three layers");
  app.add_option("--max-factor", flags.plan.max_factor,
                 "rows of the widest dense factor; wider ones are kept as diagonal blocks")
      ->capture_default_str();
  app.option_defaults()->group("Products");
  app.add_option("--batch-size", s.batch_size,
                 "samples in a micro-batch; changes cost and rounding, no more (default: about 512 rows)");
  app.add_option("--dtype-compute", s.dtype_compute, "float32 | float64; sums are float64 in both")
      ->capture_default_str();
  app.add_option("--device", s.device, "cpu | cuda: where products run; eigenpairs are the processors' work")
      ->capture_default_str();
  declare_checkpoint_flags(app, flags.checkpoint);
}

int64_t outputs_of(const EmpiricalRisk& risk) {
  const at::AutoGradMode no_grad(false);
  return risk.network().forward(risk.theta(), risk.batch(0).inputs.narrow(0, 0, 1)).size(1);
}

/// Whether a sample has several terms of the loss whose treatment makes a difference.
bool has_terms(const Flags& flags, const EmpiricalRisk& risk) {
  return risk.rows_per_sample() > 1 && flags.fisher_type != "mc";
}

KfacOptions options_of(const Flags& flags, const EmpiricalRisk& risk) {
  const FisherType type = parse_fisher_type(flags.fisher_type);
  const int64_t terms = risk.rows_per_sample(), outputs = outputs_of(risk);
  KfacOptions options{.sharing = parse_weight_sharing(flags.kfac_approx),
                      .fisher = {.type = type,
                                 .terms = choose_token_terms(flags.token_terms, type, terms, outputs),
                                 .mc_samples = flags.mc_samples,
                                 .seed = static_cast<uint64_t>(flags.settings.seed)},
                      .ekfac = !flags.no_ekfac,
                      .plan = flags.plan};
  const int64_t passes = cotangent_count(options.fisher, terms, outputs);
  if (has_terms(flags, risk)) {
    spdlog::info("token terms {}: {} backward passes over the data ({} for separate, the exact one)",
                 to_string(options.fisher.terms), passes, cotangent_count({.type = type}, terms, outputs));
  }
  if (passes > 1000) {
    spdlog::warn("{} backward passes over the data; --fisher-type mc needs one a draw", passes);
  }
  return options;
}

// What a continuation must share with the collection that it resumes.
nlohmann::json identity(const Flags& flags, const KfacOptions& options, const RiskPoint& point) {
  return {{"data_sha256", point.digests.data},
          {"model_sha256", point.digests.model},
          {"step", point.settings.step},
          {"batch_size", point.settings.batch_size},
          {"dtype_compute", flags.settings.dtype_compute},
          {"device", flags.settings.device},
          {"kfac_approx", flags.kfac_approx},
          {"fisher_type", flags.fisher_type},
          {"token_terms", to_string(options.fisher.terms)},
          {"mc_samples", flags.mc_samples},
          {"seed", flags.settings.seed},
          {"ekfac", options.ekfac},
          {"split_qkv", flags.plan.split_qkv},
          {"max_factor", flags.plan.max_factor},
          {"algorithm", kAlgorithm}};
}

KfacSums newest_sums(const SegmentFolder* segments) {
  KfacSums newest;
  if (segments == nullptr) return newest;
  segments->read(kKfacSumsFormat, [&](const ArtifactReader& file) { newest = read_kfac_sums(file); });
  if (newest.batches > 0)
    spdlog::info("resuming after micro-batch {} from {}", newest.batches, segments->folder().string());
  return newest;
}

void save(SegmentFolder& segments, const KfacSums& sums) {
  segments.write(sums.batches, kKfacSumsFormat, [&](ArtifactWriter& file) { write_kfac_sums(file, sums); });
  segments.keep_newest(2, kKfacSumsFormat);  // each says all; one may be damaged
}

KroneckerFactors collect_in_segments(const EmpiricalRisk& risk, const KfacOptions& options,
                                     SegmentFolder* segments, const StageRun& stage) {
  const int64_t batches = risk.batches() * (options.ekfac ? 2 : 1);
  Progress progress = stage.progress("micro-batches", batches);
  const auto observe = [&](const KfacSums& sums) {
    progress.update(sums.batches);
    const bool stop = stop_requested();
    if (segments != nullptr && (stop || segments->due())) save(*segments, sums);
    if (stop) stop_by_signal(segments, fmt::format("micro-batch {} of {}", sums.batches, batches));
  };
  return collect_kfac(risk, options, observe, newest_sums(segments));
}

void run(const Flags& flags, const StageRun& stage) {
  const RiskPoint point = load_risk(flags.settings);
  const EmpiricalRisk& risk = *point.risk;
  const KfacOptions options = options_of(flags, risk);
  const auto segments = open_segments(flags.checkpoint, "collect-kfac", identity(flags, options, point));
  const auto factors = collect_in_segments(risk, options, segments.get(), stage);
  const Coverage covered = coverage(factors, risk.network().params());
  spdlog::info("{}", covered.text());
  if (factors.layers.empty())
    throw Refusal("no layer of this model has Kronecker factors; nothing was written");
  const KfacOrigin origin{.kfac_approx = flags.kfac_approx,
                          .fisher_type = flags.fisher_type,
                          .token_terms = has_terms(flags, risk) ? to_string(options.fisher.terms) : "",
                          .dtype_compute = flags.settings.dtype_compute,
                          .device = flags.settings.device,
                          .loss = risk.loss_function().name(),
                          .mc_samples = flags.mc_samples,
                          .seed = flags.settings.seed,
                          .step = std::stoll(point.settings.step),
                          .batch_size_used = point.settings.batch_size,
                          .data_sha256 = point.digests.data,
                          .model_sha256 = point.digests.model};
  write_kfac(stage.out, factors, covered, origin, stage.provenance(attempts_of(segments.get())));
  retire(segments.get(), flags.checkpoint, stage.out);
}

}  // namespace

Stage make_stage() {
  const auto flags = std::make_shared<Flags>();
  return {
      .name = "collect-kfac",
      .summary =
          "Gathers the Kronecker factors of every layer over the whole data set and stores their "
          "eigenpairs.\nThe curvature of a layer W is taken as A (x) G: A = (1/W) sum_i w_i a_i a_i' over "
          "its inputs (followed by a 1\nfor the bias), G = (1/W) sum_i w_i sum_c g_ic g_ic' over gradients "
          "of the outputs, c the columns of\na root of d2l/dz2 (type2), draws (mc) or the data's targets "
          "(empirical).",
      .example = "collect-kfac --data data.h5 --model model.h5 --out kfac.h5",
      .algorithm = kAlgorithm,
      .declare = [flags](CLI::App& app) { declare(app, *flags); },
      .run = [flags](StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
