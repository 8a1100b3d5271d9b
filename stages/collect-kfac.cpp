#include <ATen/core/grad_mode.h>
#include <spdlog/spdlog.h>

#include "app/settings_flags.h"
#include "app/stage.h"
#include "checkpoint/resuming.h"
#include "core/error.h"
#include "curvature/kfac/kfac_collect.h"
#include "curvature/kfac/kfac_file.h"
#include "curvature/kfac/kfac_sums_file.h"
#include "curvature/risk_point.h"
#include "settings/values.h"

namespace ritzflow {
namespace {

struct Flags {
  RiskSettings risk;
  CollectionSettings collection;
  CheckpointSettings checkpoint;
};

constexpr int kAlgorithm = 3;

void declare(CLI::App& app, Flags& flags) {
  app::add_flags(app, flags.risk, "Input");
  for (const char* needed : {"--data", "--model"}) app.get_option(needed)->required();
  app::add_flags(app, flags.collection, "Factors");
  app::add_flags(app, flags.checkpoint, "Checkpoints");
}

int64_t outputs_of(const problem::EmpiricalRisk& risk) {
  const at::AutoGradMode no_grad(false);
  return risk.network().forward(risk.theta(), risk.batch(0).inputs.narrow(0, 0, 1)).size(1);
}

/// Whether a sample has several terms of the loss whose treatment makes a difference.
bool has_terms(const Flags& flags, const problem::EmpiricalRisk& risk) {
  return risk.rows_per_sample() > 1 && flags.collection.fisher_type != FisherType::mc;
}

curvature::KfacOptions options_of(const Flags& flags, const problem::EmpiricalRisk& risk) {
  const CollectionSettings& asked = flags.collection;
  const FisherType type = asked.fisher_type;
  const int64_t terms = risk.rows_per_sample(), outputs = outputs_of(risk);
  curvature::KfacOptions options{
      .sharing = asked.kfac_approx,
      .fisher = {.type = type,
                 .terms = curvature::choose_token_terms(asked.token_terms, type, terms, outputs),
                 .mc_samples = asked.mc_samples,
                 .seed = static_cast<uint64_t>(asked.seed)},
      .ekfac = !asked.no_ekfac,
      .plan = {.split_qkv = asked.split_qkv, .max_factor = asked.max_factor}};
  const int64_t passes = curvature::cotangent_count(options.fisher, terms, outputs);
  if (has_terms(flags, risk)) {
    spdlog::info("token terms {}: {} backward passes over the data ({} for separate, the exact one)",
                 word(options.fisher.terms), passes,
                 curvature::cotangent_count({.type = type}, terms, outputs));
  }
  if (passes > 1000) {
    spdlog::warn("{} backward passes over the data; --fisher-type mc needs one a draw", passes);
  }
  return options;
}

// What a continuation must share with the collection that it resumes.
nlohmann::json identity(const Flags& flags, const curvature::RiskPoint& point) {
  nlohmann::json all = identity_of(flags.collection);
  all.update(identity_of(point.settings));
  all["data_sha256"] = point.digests.data;
  all["model_sha256"] = point.digests.model;
  all["algorithm"] = kAlgorithm;
  return all;
}

curvature::KfacSums newest_sums(const checkpoint::SegmentFolder* segments) {
  curvature::KfacSums newest;
  if (segments == nullptr) return newest;
  segments->read(curvature::kKfacSumsFormat,
                 [&](const artifact::ArtifactReader& file) { newest = curvature::read_kfac_sums(file); });
  if (newest.batches > 0)
    spdlog::info("resuming after micro-batch {} from {}", newest.batches, segments->folder().string());
  return newest;
}

void save(checkpoint::SegmentFolder& segments, const curvature::KfacSums& sums) {
  segments.write(sums.batches, curvature::kKfacSumsFormat,
                 [&](artifact::ArtifactWriter& file) { curvature::write_kfac_sums(file, sums); });
  segments.keep_newest(2, curvature::kKfacSumsFormat);  // each says all; one may be damaged
}

curvature::KroneckerFactors collect_in_segments(const problem::EmpiricalRisk& risk,
                                                const curvature::KfacOptions& options,
                                                checkpoint::SegmentFolder* segments,
                                                const app::StageRun& stage) {
  const int64_t batches = risk.batches() * (options.ekfac ? 2 : 1);
  app::Progress progress = stage.progress("micro-batches", batches);
  const auto observe = [&](const curvature::KfacSums& sums) {
    progress.update(sums.batches);
    const bool stop = app::stop_requested();
    if (segments != nullptr && (stop || segments->due())) save(*segments, sums);
    if (stop)
      checkpoint::stop_by_signal(segments, fmt::format("micro-batch {} of {}", sums.batches, batches));
  };
  return curvature::collect_kfac(risk, options, observe, newest_sums(segments));
}

void run(const Flags& flags, const app::StageRun& stage) {
  const curvature::RiskPoint point = curvature::load_risk(flags.risk, {});
  const problem::EmpiricalRisk& risk = *point.risk;
  const curvature::KfacOptions options = options_of(flags, risk);
  const auto segments = checkpoint::open_segments(flags.checkpoint, "collect-kfac", identity(flags, point));
  const auto factors = collect_in_segments(risk, options, segments.get(), stage);
  const curvature::Coverage covered = curvature::coverage(factors, risk.network().params());
  spdlog::info("{}", covered.text());
  if (factors.layers.empty())
    throw Refusal("no layer of this model has Kronecker factors; nothing was written");
  const curvature::Collection collection{
      .settings = flags.collection,
      .risk = point.settings,
      .token_terms = has_terms(flags, risk) ? std::optional(options.fisher.terms) : std::nullopt,
      .loss = risk.loss_function().name(),
      .data_sha256 = point.digests.data,
      .model_sha256 = point.digests.model};
  curvature::write_kfac(stage.out, factors, covered, collection,
                        stage.provenance(checkpoint::attempts_of(segments.get())));
  checkpoint::retire(segments.get(), flags.checkpoint, stage.out);
}

}  // namespace

app::Stage make_stage() {
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
      .run = [flags](app::StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
