#include "model/training/schedule.h"

#include <cmath>
#include <numbers>

namespace ritzflow::model {

double LearningRateSchedule::fraction(int64_t t, int64_t steps) const {
  if (t <= warmup_steps) return static_cast<double>(t) / static_cast<double>(warmup_steps);
  if (!cosine) return 1;
  const auto done = static_cast<double>(t - 1 - warmup_steps);
  return (1 + std::cos(std::numbers::pi * done / static_cast<double>(steps - warmup_steps))) / 2;
}

}  // namespace ritzflow::model
