#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "krylov/process/linear_operator.h"
#include "problem/empirical_risk.h"

namespace ritzflow {

/// Linearizations are kept between products, or rebuilt for each.
template <>
struct Words<model::Lifetime> {
  using enum model::Lifetime;
  static constexpr auto all = word_list<model::Lifetime>({{many_products, "kept"}, {one_product, "rebuilt"}});
};

}  // namespace ritzflow

namespace ritzflow::curvature {

/// Throws Refusal where `device` has less than `bytes` of memory.
void require_room(int64_t bytes, at::Device device);

/// How a product over the whole data set fits into memory.
struct MemoryPlan {
  int64_t batch_size = 0;  ///< samples in a micro-batch
  model::Lifetime lifetime =
      model::Lifetime::one_product;  ///< whether linearizations are kept between products
  int64_t in_flight = 1;             ///< micro-batches that may be at work at once
  int64_t bytes = 0;                 ///< estimated peak with one at work
};

using MakeOperator = std::function<std::unique_ptr<krylov::LinearOperator>(
    const std::shared_ptr<const problem::EmpiricalRisk>&)>;

/// The largest micro-batch of at most `batch_size` samples with which products stay within `limit` bytes, and
/// whether the linearizations of all micro-batches fit as well. Bytes are measured by products over the first
/// one and two samples and extrapolated, then measured again at the size chosen; they are of the device where
/// products run, whose memory also holds theta and the data. Where `fixed`, no smaller
/// micro-batch is taken. Logs it in one line. Throws Refusal that names the least memory that
/// would do.
MemoryPlan plan_memory(const problem::EmpiricalRisk& risk, const MakeOperator& make, int64_t batch_size,
                       bool fixed, int64_t limit);

}  // namespace ritzflow::curvature
