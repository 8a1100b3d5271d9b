#include "curvature/memory_plan.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "model/device.h"
#include "problem/batch_cache.h"

namespace ritzflow::curvature {
namespace {

/// Bytes of the products of one micro-batch as a function a + c b of its b samples.
struct Line {
  double at_one = 0, slope = 0;
  int64_t operator()(int64_t samples) const {
    return static_cast<int64_t>(std::ceil(at_one + slope * static_cast<double>(samples - 1)));
  }
};

/// What an operator holds, and what a product needs on top of it.
struct Cost {
  Line kept, work;
};

/// A product over the first `samples` samples in this thread, the only one that is counted.
problem::Allocation measure(const problem::EmpiricalRisk& risk, const MakeOperator& make, int64_t samples,
                            model::Lifetime lifetime) {
  const auto few = std::make_shared<const problem::EmpiricalRisk>(risk.first_samples(samples, lifetime));
  std::vector<double> v(static_cast<size_t>(risk.dim()), 1.0), out(v.size());
  std::unique_ptr<krylov::LinearOperator> op;
  return problem::allocation_of(risk.options().device, [&] {
    op = make(few);
    op->apply(v, out);
  });
}

Cost cost_of(const problem::Allocation& one, const problem::Allocation& many, int64_t samples) {
  const auto line = [&](int64_t first, int64_t last) {
    const double steps = static_cast<double>(std::max<int64_t>(1, samples - 1));
    return Line{static_cast<double>(first), static_cast<double>(std::max<int64_t>(0, last - first)) / steps};
  };
  return {line(one.kept, many.kept), line(one.peak - one.kept, many.peak - many.kept)};
}

/// The line through what one sample costs and what `samples` do.
Cost measured_cost(const problem::EmpiricalRisk& risk, const MakeOperator& make, int64_t samples,
                   model::Lifetime lifetime) {
  samples = std::min(samples, risk.samples());
  tbb::task_arena arena(1);
  return arena.execute([&] {
    const problem::Allocation one = measure(risk, make, 1, lifetime);
    return cost_of(one, samples > 1 ? measure(risk, make, samples, lifetime) : one, samples);
  });
}

/// Rounded up: "12 bytes", "812 KiB", "4096 MiB".
std::string size_text(int64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  const bool small = bytes < int64_t{10} << 20;
  const int64_t unit = int64_t{1} << (small ? 10 : 20);
  return fmt::format("{} {}", (bytes + unit - 1) / unit, small ? "KiB" : "MiB");
}

int64_t batches_of(const problem::EmpiricalRisk& risk, int64_t batch_size) {
  return (risk.samples() + batch_size - 1) / batch_size;
}

}  // namespace

void require_room(int64_t bytes, at::Device device) {
  const int64_t room = model::total_memory(device);
  if (bytes <= room) return;
  throw Refusal(
      fmt::format("the operator's products need {}, and this {} has {}: build it with a smaller --memory",
                  size_text(bytes), device.is_cpu() ? "machine" : "GPU", size_text(room)));
}

MemoryPlan plan_memory(const problem::EmpiricalRisk& risk, const MakeOperator& make, int64_t batch_size,
                       bool fixed, int64_t limit) {
  const bool on_host = risk.options().device.is_cpu();
  // In host memory v and out in float64 are the caller's, and what the risk itself holds was there before.
  const int64_t held = on_host ? 2 * risk.dim() * int64_t{sizeof(double)} : risk.resident_bytes();
  Cost once = measured_cost(risk, make, std::min<int64_t>(2, batch_size), model::Lifetime::one_product);
  const auto needed = [&](int64_t samples) { return held + once.kept(samples) + once.work(samples); };
  const auto fitting = [&](int64_t size) {
    while (!fixed && size > 1 && needed(size) > limit) size = (size + 1) / 2;
    if (needed(size) <= limit) return size;
    const std::string hint = fixed && size > 1 ? "; with --batch-size 1 it would be " + size_text(needed(1))
                                               : ", the least that would do";
    throw Refusal(fmt::format("--memory {}: a product with micro-batches of {} samples needs {}{}",
                              size_text(limit), size, size_text(needed(size)), hint));
  };
  int64_t size = fitting(batch_size);
  for (int64_t tried = 0; tried != size; size = fitting(size)) {
    tried = size;
    once = measured_cost(risk, make, size, model::Lifetime::one_product);
  }
  const Cost often = measured_cost(risk, make, size, model::Lifetime::many_products);
  const int64_t all = held + batches_of(risk, size) * often.kept(size) + often.work(size);
  const bool keep = all <= limit;
  const int64_t bytes = keep ? all : needed(size), work = keep ? often.work(size) : once.work(size);
  spdlog::info(
      "memory plan: micro-batches of {} of {} samples, linearizations {} ({} if kept), {} of {} at most",
      size, risk.samples(), keep ? "kept between products" : "rebuilt for each product", size_text(all),
      size_text(bytes), size_text(limit));
  return {.batch_size = size,
          .lifetime = keep ? model::Lifetime::many_products : model::Lifetime::one_product,
          .in_flight = on_host ? 1 + (limit - bytes) / std::max<int64_t>(1, work) : 1,
          .bytes = bytes};
}

}  // namespace ritzflow::curvature
