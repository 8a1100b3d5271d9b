#pragma once
#include <chrono>

#include "krylov/process/linear_operator.h"

namespace ritzflow::spectrum {

/// An operator whose products are timed, and the time since it was made: work outside products is the rest.
class TimedOperator final : public krylov::LinearOperator {
 public:
  explicit TimedOperator(krylov::LinearOperator& op) : operator_(op) {}

  int64_t dim() const override { return operator_.dim(); }
  void apply(VectorView v, VectorSpan out) override {
    const auto begin = Clock::now();
    operator_.apply(v, out);
    products_ += Clock::now() - begin;
  }

  double product_seconds() const { return products_.count(); }
  double all_seconds() const { return Seconds(Clock::now() - made_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;

  krylov::LinearOperator& operator_;
  const Clock::time_point made_ = Clock::now();
  Seconds products_{0};
};

}  // namespace ritzflow::spectrum
