#pragma once
#include <cstdint>

namespace ritzflow::model {

/// The learning rate of each update as a fraction of the largest one: it rises linearly over `warmup_steps`
/// updates, then stays (constant) or falls as half a cosine wave (Loshchilov and Hutter, ICLR 2017).
struct LearningRateSchedule {
  bool cosine = false;
  int64_t warmup_steps = 0;

  /// In (0, 1], for update 1 <= t <= steps. With w = warmup_steps: t / w up to w; after it 1, or
  /// (1 + cos(pi (t - 1 - w) / (steps - w))) / 2.
  double fraction(int64_t t, int64_t steps) const;
};

}  // namespace ritzflow::model
