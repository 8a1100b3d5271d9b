#include "krylov/ritz/candidate_pool.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/kernels.h"

namespace ritzflow::krylov {
namespace {

// Below this length Q's is the rounding noise of a cancelled sum, not a direction.
constexpr double kUsableLength = 0.1;
constexpr double kCopyEnergy = 0.5;
constexpr double kFarBetter = 1e-3;  // of residual estimates
constexpr double kShift = 1e-3;      // of a Rayleigh quotient, relative
constexpr double kRounding =
    std::numeric_limits<double>::epsilon();  // of energy: nothing that shifts a quotient

void combine_rows(const Combinations& basis, const Eigen::VectorXd& c, VectorSpan out) {
  basis.combine(0, {c.data(), static_cast<size_t>(c.size())}, out);
}

// The part of a unit vector x inside the span of other unit vectors with Gram matrix G and c = their dot
// products with x: coefficients a = G^-1 c.
struct Projection {
  double energy = 0;  // c'a
  double value = 0;   // a' Theta G a: its Rayleigh quotient times its energy
};

Projection project(const std::vector<RitzPair>& pool, const Eigen::MatrixXd& gram,
                   const std::vector<Eigen::Index>& span, Eigen::Index x) {
  const Eigen::VectorXd c = gram(span, x);
  if (c.squaredNorm() < kRounding) return {};
  const Eigen::VectorXd a = gram(span, span).ldlt().solve(c);
  Eigen::VectorXd weighted = a;
  for (size_t i = 0; i < span.size(); ++i) {
    weighted[static_cast<Eigen::Index>(i)] *= pool[static_cast<size_t>(span[i])].value;
  }
  return {c.dot(a), weighted.dot(c)};
}

// Whether x is an eigenvector that has already converged and is emerging again: without its components
// along far better converged pairs its Rayleigh quotient is another one.
bool copy_in_formation(const std::vector<RitzPair>& pool, const Eigen::MatrixXd& gram,
                       const std::vector<Eigen::Index>& kept, Eigen::Index x) {
  const RitzPair& pair = pool[static_cast<size_t>(x)];
  std::vector<Eigen::Index> better;
  std::copy_if(kept.begin(), kept.end(), std::back_inserter(better), [&](Eigen::Index i) {
    return pool[static_cast<size_t>(i)].estimate <= kFarBetter * pair.estimate;
  });
  const Projection inside = project(pool, gram, better, x);
  if (inside.energy < kRounding) return false;
  const double rest = (pair.value - inside.value) / (1 - inside.energy);
  return std::abs(pair.value - rest) > kShift * std::abs(pair.value);
}

bool near_a_kept_value(const std::vector<RitzPair>& pool, const std::vector<Eigen::Index>& kept,
                       const RitzPair& pair) {
  return std::any_of(kept.begin(), kept.end(), [&](Eigen::Index i) {
    const RitzPair& other = pool[static_cast<size_t>(i)];
    return std::abs(other.value - pair.value) <= 1e-6 * std::abs(other.value) + other.estimate;
  });
}

// Gives every pair of the pool its verdict (all but converged) and returns how many are pairs in their own
// right.
int64_t judge(std::vector<RitzPair>& pool, const Eigen::MatrixXd& gram) {
  std::vector<Eigen::Index> order(pool.size()), kept;
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
    const RitzPair &x = pool[static_cast<size_t>(a)], &y = pool[static_cast<size_t>(b)];
    return std::pair(x.basis_norm < kUsableLength, x.estimate) <
           std::pair(y.basis_norm < kUsableLength, y.estimate);
  });
  for (Eigen::Index i : order) {
    RitzPair& pair = pool[static_cast<size_t>(i)];
    if (pair.basis_norm < kUsableLength) {
      pair.verdict = near_a_kept_value(pool, kept, pair) ? Verdict::ghost : Verdict::spurious;
    } else if (project(pool, gram, kept, i).energy > kCopyEnergy || copy_in_formation(pool, gram, kept, i)) {
      pair.verdict = Verdict::ghost;
    } else {
      pair.verdict = Verdict::unconverged;
      kept.push_back(i);
    }
  }
  return static_cast<int64_t>(kept.size());
}

// Dot products of the newest vector with all.
void extend_gram(Eigen::MatrixXd& gram, const std::vector<RitzPair>& pool, const Basis* shelf) {
  const auto j = static_cast<Eigen::Index>(pool.size()) - 1;
  gram.conservativeResize(j + 1, j + 1);
  for (Eigen::Index i = 0; i <= j; ++i) {
    gram(i, j) = gram(j, i) = dot(PairVector(pool[static_cast<size_t>(i)], shelf).view(), pool.back().vector);
  }
}

void put_away(RitzPair& pair, Basis& shelf) {
  pair.shelf_row = shelf.size();
  shelf.append(pair.vector);
  pair.vector = std::vector<double>();  // {} would keep the memory
}

// A pair of its own whose interval reaches to this candidate, which is far better converged: the pair may be
// a copy in formation, a mixture of eigenvectors that lies where no eigenvalue is.
bool may_expose_a_mixture(const std::vector<RitzPair>& pool, const RitzCandidate& candidate) {
  return std::any_of(pool.begin(), pool.end(), [&](const RitzPair& pair) {
    return pair.verdict == Verdict::unconverged && candidate.bound() <= kFarBetter * pair.estimate &&
           std::abs(candidate.value - pair.value) <= pair.estimate;
  });
}

// Drops the last directions of their own beyond `count`.
void trim(std::vector<RitzPair>& pool, int64_t own, int64_t count) {
  for (size_t i = pool.size(); i-- > 0 && own > count;) {
    if (pool[i].verdict != Verdict::unconverged) continue;
    pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(i));
    --own;
  }
}

}  // namespace

RitzPair form_pair(const RitzCandidate& candidate, const Combinations& basis) {
  RitzPair pair;
  pair.value = candidate.value;
  pair.gamma = candidate.gamma;
  pair.vector.resize(static_cast<size_t>(basis.dim()));
  double residual = candidate.coupling;
  if (candidate.leftover.size() > 0) {
    combine_rows(basis, candidate.leftover, pair.vector);
    residual = std::hypot(residual, norm(pair.vector));
  }
  combine_rows(basis, candidate.s, pair.vector);
  pair.basis_norm = norm(pair.vector);
  if (pair.basis_norm > 0) {
    scale(1 / pair.basis_norm, pair.vector);
    pair.estimate = residual / pair.basis_norm;
  }
  return pair;
}

std::vector<RitzPair> candidate_pool(const std::vector<RitzCandidate>& candidates, const WantedEnd& end,
                                     const Combinations& basis, Basis* shelf) {
  std::vector<RitzPair> pool;
  Eigen::MatrixXd gram;
  int64_t own = 0;
  for (size_t index : end.order) {
    if (own >= end.count && !may_expose_a_mixture(pool, candidates[index])) continue;
    pool.push_back(form_pair(candidates[index], basis));
    extend_gram(gram, pool, shelf);
    if (shelf != nullptr) put_away(pool.back(), *shelf);
    own = judge(pool, gram);
  }
  trim(pool, own, end.count);
  return pool;
}

}  // namespace ritzflow::krylov
