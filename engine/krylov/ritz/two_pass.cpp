#include "krylov/ritz/two_pass.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/error.h"
#include "core/kernels.h"

namespace ritzflow::krylov {

TwoPass::TwoPass(LinearOperator& op, const RunOfRecord& run, const std::vector<RitzCandidate>& upcoming,
                 int64_t batch, std::function<void()> replayed)
    : operator_(op), run_(run), batch_(std::max<int64_t>(1, batch)), replayed_(std::move(replayed)) {
  for (const RitzCandidate& candidate : upcoming) {
    if (candidate.leftover.size() > 0) upcoming_.push_back(candidate.leftover);
    upcoming_.push_back(candidate.s);
  }
}

void TwoPass::combine(int64_t, std::span<const double> c, VectorSpan out) const {
  const Eigen::Map<const Eigen::VectorXd> wanted(c.data(), static_cast<Eigen::Index>(c.size()));
  const auto find = [&] {
    return std::ranges::find_if(formed_, [&](const Formed& formed) { return formed.c == wanted; });
  };
  auto found = find();
  if (found == formed_.end()) {
    formed_.clear();
    upcoming_.remove_if([&](const Eigen::VectorXd& other) { return other == wanted; });
    upcoming_.push_front(wanted);
    replay();
    found = find();
  }
  std::ranges::copy(found->vector, out.begin());
  formed_.erase(found);
}

// x <- x + c_j q_j for every combination x of the batch, j = 0, 1, ...: fused like all rows at once.
void TwoPass::replay() const {
  while (!upcoming_.empty() && static_cast<int64_t>(formed_.size()) < batch_) {
    formed_.push_back({upcoming_.front(), std::vector<double>(static_cast<size_t>(dim()), 0.0)});
    upcoming_.pop_front();
  }
  LanczosProcess process(operator_, run_.start, run_.mode, run_.seed,
                         make_ram_basis(dim(), {.capacity = rows_needed(run_.mode)}, run_.type));
  std::vector<double> q(static_cast<size_t>(dim()));
  const double* row = q.data();
  for (int64_t j = 0; j < run_.factorization.size(); ++j) {
    if (!process.step()) break;
    check(process.factorization());
    process.basis().copy_row(j, q);
    for (Formed& formed : formed_) {
      const double minus = -formed.c[j];
      subtract(Rows(&row, 1), {&minus, 1}, formed.vector);
    }
    ++products_;
    replayed_();
  }
}

void TwoPass::check(const KrylovFactorization& replayed) const {
  const auto j = static_cast<size_t>(replayed.size() - 1);
  const KrylovFactorization& f = run_.factorization;
  if (replayed.columns[j] == f.columns[j] && replayed.beta[j] == f.beta[j]) return;
  throw Refusal(
      fmt::format("product {} made again gives alpha {:.17g} and beta {:.17g}, the run has {:.17g} and "
                  "{:.17g}: a product does "
                  "not repeat its bits here, and vectors replayed without a basis would be worthless; hold "
                  "them (--basis ram or "
                  "disk), or let lanczos keep them (--keep-basis)",
                  j + 1, replayed.columns[j].back(), replayed.beta[j], f.columns[j].back(), f.beta[j]));
}

std::vector<RitzCandidate> likely_walk(const std::vector<RitzCandidate>& candidates, Which which, int64_t k) {
  constexpr double kDistinct = 1e-6;
  std::vector<double> values;
  for (const RitzCandidate& candidate : candidates) values.push_back(candidate.value);
  std::vector<RitzCandidate> walk;
  for (const WantedEnd& end : wanted_ends(values, which, k)) {
    int64_t distinct = 0;
    double last = HUGE_VAL;
    for (size_t i : end.order) {
      if (std::abs(values[i] - last) > kDistinct * std::abs(values[i])) ++distinct;
      if (distinct > 2 * end.count) break;
      last = values[i];
      walk.push_back(candidates[i]);
    }
  }
  return walk;
}

}  // namespace ritzflow::krylov
