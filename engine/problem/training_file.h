#pragma once
#include <map>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "model/training/training.h"

namespace ritzflow::problem {

/// A training in flight: where it is, and the points of the path that model.h5 will hold.
struct TrainingProgress {
  model::TrainingState state;
  std::map<int64_t, at::Tensor> points;  ///< theta [n] float32 by step
};

inline constexpr const char* kTrainingFormat = "ritzflow-training";

/// Fills a segment of a training's checkpoint.
void write_training(artifact::ArtifactWriter& file, const TrainingProgress& progress);

/// Reads it back. Throws InputError.
TrainingProgress read_training(const artifact::ArtifactReader& file);

}  // namespace ritzflow::problem
