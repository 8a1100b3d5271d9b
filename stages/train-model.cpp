#include <ATen/ATen.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <cmath>
#include <set>

#include "app/number_checks.h"
#include "app/settings_flags.h"
#include "app/stage.h"
#include "artifact/json_file.h"
#include "artifact/writer.h"
#include "checkpoint/resuming.h"
#include "core/error.h"
#include "model/networks/networks.h"
#include "model/networks/settings.h"
#include "model/torch_setup.h"
#include "problem/dataset.h"
#include "problem/point_digest.h"
#include "problem/training_file.h"

namespace ritzflow {
namespace {

using nlohmann::json;

struct Flags {
  std::filesystem::path data, spec;
  int64_t seed = 0;
  std::vector<std::string> steps;
  CheckpointSettings checkpoint;
};

constexpr int kAlgorithm = 2;

void declare(CLI::App& app, Flags& flags) {
  app.add_option("--data", flags.data, "data.h5: the samples to train on")->type_name("FILE")->required();
  app.add_option("--spec", flags.spec, "model.json: {\"architecture\": {...}, \"training\": {...}}")
      ->type_name("FILE")
      ->required();
  app.add_option("--seed", flags.seed, "of the starting point and of the order of the samples")
      ->check(app::integer_from(0))
      ->capture_default_str();
  app.add_option("--steps", flags.steps,
                 "training steps whose weights are kept: numbers and final, separated by commas "
                 "(default: \"steps\" of the spec, else final)")
      ->delimiter(',');
  app::add_flags(app, flags.checkpoint, "Checkpoints");
}

/// The words of `--steps`, else those of the spec.
std::vector<std::string> wanted_steps(const Flags& flags, const json& spec) {
  if (!flags.steps.empty()) return flags.steps;
  const json steps = spec.value("steps", json::array({"final"}));
  if (!steps.is_array())
    throw InputError("steps is " + steps.dump() + "; it must be a list such as [0, \"final\"]");
  std::vector<std::string> words;
  for (const json& step : steps) {
    words.push_back(step.is_string() ? step.get<std::string>() : step.dump());
  }
  return words;
}

int64_t parse_step(const std::string& where, const std::string& word, int64_t last) {
  if (word == "final") return last;
  int64_t step = -1;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, step);
  if (error == std::errc() && stop == end && step >= 0 && step <= last) return step;
  throw InputError(
      where + ": '" + word +
      "' is not a step; expected final or a number from 0 to training.steps = " + std::to_string(last));
}

/// A model's spec, ready to train on `data`.
struct Plan {
  std::unique_ptr<model::Network> network;
  model::TrainingOptions training;
  std::set<int64_t> keep;
};

Plan make_plan(const Flags& flags, const json& spec, const problem::Dataset& data) {
  const model::Settings keys(spec, "spec", {"architecture", "training", "steps", "data"});
  Plan plan;
  plan.network = model::make_network(spec.value("architecture", json()), data.shape);
  plan.training = model::parse_training(spec.value("training", json()), problem::default_loss(data));
  problem::require_loss_fits(plan.training.loss, data);
  const std::string where = flags.steps.empty() ? "steps" : "--steps";
  for (const auto& word : wanted_steps(flags, spec)) {
    plan.keep.insert(parse_step(where, word, plan.training.steps));
  }
  return plan;
}

void write_settings(artifact::ArtifactWriter& file, const Flags& flags, const json& spec,
                    const model::Network& network, const problem::Dataset& data) {
  std::vector<std::string> order;
  for (const model::Parameter& p : network.params().parameters()) order.push_back(p.name);
  file.attribute("spec", spec.dump());
  file.attribute("seed", flags.seed);
  file.attribute("parameter_order", order);
  file.attribute("n_params", network.params().size());
  file.attribute("data_sha256", data.sha256);
}

void write_point(artifact::ArtifactWriter& file, const json& spec, const Plan& plan, int64_t step,
                 const at::Tensor& theta) {
  const std::string group = fmt::format("steps/{:08d}", step);
  const model::ParamSpace& params = plan.network->params();
  for (const model::Parameter& p : params.parameters()) {
    const std::span<const float> values(theta.const_data_ptr<float>() + p.offset,
                                        static_cast<size_t>(p.size));
    file.dataset(group + "/" + p.name, values, p.shape);
  }
  const json& architecture = spec.at("architecture");
  file.attribute(group, "sha256", problem::point_digest(architecture, plan.training.loss, params, theta));
}

void write_record(artifact::ArtifactWriter& file, const model::TrainingRecord& record) {
  file.dataset("training/step", record.step);
  file.dataset("training/loss", record.loss);
  if (!std::isnan(record.accuracy.back())) file.dataset("training/accuracy", record.accuracy);
}

// What a continuation must share with the training that it resumes.
json identity(const Flags& flags, const json& spec, const Plan& plan, const problem::Dataset& data) {
  return {{"data_sha256", data.sha256},
          {"spec", spec},
          {"steps", plan.keep},
          {"seed", flags.seed},
          {"algorithm", kAlgorithm}};
}

std::optional<problem::TrainingProgress> newest_state(const checkpoint::SegmentFolder* segments) {
  std::optional<problem::TrainingProgress> newest;
  if (segments == nullptr) return newest;
  segments->read(problem::kTrainingFormat,
                 [&](const artifact::ArtifactReader& file) { newest = problem::read_training(file); });
  if (newest) spdlog::info("resuming after step {} from {}", newest->state.step, segments->folder().string());
  return newest;
}

void save(checkpoint::SegmentFolder* segments, const problem::TrainingProgress& progress) {
  if (segments == nullptr) return;
  segments->write(progress.state.step, problem::kTrainingFormat,
                  [&](artifact::ArtifactWriter& file) { problem::write_training(file, progress); });
  segments->keep_newest(2, problem::kTrainingFormat);  // each says all; one may be damaged
}

problem::TrainingProgress train_in_segments(const Plan& plan, const problem::Dataset& data, uint64_t seed,
                                            checkpoint::SegmentFolder* segments, const app::StageRun& stage) {
  const auto from = newest_state(segments);
  problem::TrainingProgress now = from.value_or(problem::TrainingProgress{});
  app::Progress shown = stage.progress("steps", plan.training.steps);
  const auto observe = [&](const model::TrainingState& state) {
    now.state = state;
    if (plan.keep.contains(state.step)) now.points[state.step] = state.theta.clone();
    shown.update(state.step);
    const bool stop = app::stop_requested();
    if (segments != nullptr && (stop || segments->due())) save(segments, now);
    if (stop)
      checkpoint::stop_by_signal(segments, fmt::format("step {} of {}", state.step, plan.training.steps));
  };
  const model::TrainingData samples{data.inputs, data.targets, data.weights, data.rows_per_sample};
  now.state.record =
      model::train(*plan.network, *model::make_loss(plan.training.loss), samples, plan.training, seed,
                   observe, from ? std::optional(from->state) : std::nullopt);
  return now;
}

void log_summary(const Plan& plan, const model::TrainingRecord& record) {
  const double accuracy = record.accuracy.back();
  spdlog::info("{} parameters, {} steps: loss {:.4g} -> {:.4g}{}", plan.network->params().size(),
               plan.training.steps, record.loss.front(), record.loss.back(),
               std::isnan(accuracy) ? "" : fmt::format(", accuracy {:.3f}", accuracy));
}

void run(const Flags& flags, const app::StageRun& stage) {
  model::set_up_torch(1);  // sums split over threads would change bits
  const json spec = artifact::read_json(flags.spec);
  const problem::Dataset data = problem::load_dataset(flags.data);
  try {
    const Plan plan = make_plan(flags, spec, data);
    const auto segments =
        checkpoint::open_segments(flags.checkpoint, "train-model", identity(flags, spec, plan, data));
    const problem::TrainingProgress trained =
        train_in_segments(plan, data, static_cast<uint64_t>(flags.seed), segments.get(), stage);
    artifact::ArtifactWriter file(stage.out, "ritzflow-model");
    write_settings(file, flags, spec, *plan.network, data);
    for (const auto& [step, theta] : trained.points) write_point(file, spec, plan, step, theta);
    write_record(file, trained.state.record);
    file.provenance(stage.provenance(checkpoint::attempts_of(segments.get())));
    file.commit();
    checkpoint::retire(segments.get(), flags.checkpoint, stage.out);
    log_summary(plan, trained.state.record);
  } catch (const InputError& error) {
    throw InputError(flags.spec.string() + ": " + error.what());
  }
}

}  // namespace

app::Stage make_stage() {
  const auto flags = std::make_shared<Flags>();
  return {.name = "train-model",
          .summary =
              "Trains a network by seed in float32 and keeps its weights at chosen steps.\n"
              "Minimises (1/W) sum_i w_i l(f(theta, x_i), y_i) with minibatch SGD or Adam; one compute "
              "thread, so "
              "that the same seed gives the same bits.",
          .example = "train-model --data data.h5 --spec model.json --seed 0 --out model.h5",
          .algorithm = kAlgorithm,
          .declare = [flags](CLI::App& app) { declare(app, *flags); },
          .run = [flags](app::StageRun& stage) { run(*flags, stage); }};
}

}  // namespace ritzflow
