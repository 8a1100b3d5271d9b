#include "problem/training_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "problem/tensor_io.h"

namespace ritzflow::problem {
void write_training(artifact::ArtifactWriter& file, const TrainingProgress& progress) {
  const model::TrainingState& state = progress.state;
  file.attribute("step", state.step);
  file.attribute("updates", state.updates);
  write_tensor(file, "theta", state.theta);
  for (size_t i = 0; i < state.optimizer.size(); ++i)
    write_tensor(file, fmt::format("optimizer/{:08}", i), state.optimizer[i]);
  for (const auto& [step, theta] : progress.points)
    write_tensor(file, fmt::format("points/{:08}", step), theta);
  file.dataset("record/step", state.record.step);
  file.dataset("record/loss", state.record.loss);
  const auto& accuracy = state.record.accuracy;
  const bool known = std::ranges::none_of(accuracy, [](double a) { return std::isnan(a); });
  if (known) file.dataset("record/accuracy", accuracy);
}

TrainingProgress read_training(const artifact::ArtifactReader& file) {
  TrainingProgress progress;
  model::TrainingState& state = progress.state;
  state.step = file.attribute<int64_t>("step");
  state.updates = file.attribute<int64_t>("updates");
  state.theta = read_tensor(file, "theta");
  for (const auto& name : file.children("optimizer"))
    state.optimizer.push_back(read_tensor(file, "optimizer/" + name));
  if (file.has("points")) {
    for (const auto& name : file.children("points"))
      progress.points[std::stoll(name)] = read_tensor(file, "points/" + name);
  }
  state.record.step = file.read<int64_t>("record/step");
  state.record.loss = file.read<double>("record/loss");
  state.record.accuracy.assign(state.record.step.size(), std::numeric_limits<double>::quiet_NaN());
  if (file.has("record/accuracy")) state.record.accuracy = file.read<double>("record/accuracy");
  return progress;
}

}  // namespace ritzflow::problem
