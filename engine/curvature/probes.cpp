#include "curvature/probes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/kernels.h"
#include "core/philox.h"

namespace ritzflow::curvature {
namespace {

constexpr int power_iterations = 5;
using Vector = std::vector<double>;

Vector random_unit_vector(int64_t n, uint64_t seed, const char* purpose) {
  Vector v(static_cast<size_t>(n));
  Philox(seed, "build-operator", purpose).fill_normal(v);
  scale(1 / norm(v), v);
  return v;
}

/// out = A v, and the largest ||A v|| / ||v|| so far.
class Prober {
 public:
  explicit Prober(krylov::LinearOperator& op) : op_(op) {}

  Vector operator()(const Vector& v) {
    Vector out(v.size());
    op_.apply(v, out);
    if (!all_finite(out)) {
      throw Refusal(
          "the operator's product with a random vector of finite numbers is nan or infinite: the "
          "model's activations overflow in this dtype, or its weights are far out of scale");
    }
    const double length = norm(v);
    if (length > 0) norm_ = std::max(norm_, norm(out) / length);
    return out;
  }

  double norm_seen() const { return norm_; }

 private:
  krylov::LinearOperator& op_;
  double norm_ = 0;
};

/// a <- a + s b.
void add(Vector& a, double s, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += s * b[i];
}

/// ||a - b||.
double distance(Vector a, const Vector& b) {
  add(a, -1, b);
  return norm(a);
}

/// A unit vector near the dominant eigenvector, from a product A u.
Vector dominant_direction(Prober& product, Vector v) {
  for (int i = 0; i < power_iterations && norm(v) > 0; ++i) {
    scale(1 / norm(v), v);
    v = product(v);
  }
  if (norm(v) > 0) scale(1 / norm(v), v);
  return v;
}

/// Absolute gaps of a linear and of a symmetric map.
struct Gaps {
  double additivity = 0;  ///< ||A (u + v) - A u - A v||
  double symmetry = 0;    ///< |u' A v - v' A u|
};

/// v is drawn where it is used and u becomes the sum: of a large model every vector counts.
Gaps gaps(Prober& product, Vector u, const Vector& au, const std::function<Vector()>& draw_v,
          const Vector& av) {
  Gaps found;
  {
    const Vector v = draw_v();
    found.symmetry = std::abs(dot(u, av) - dot(v, au));
    add(u, 1, v);
  }
  Vector gap = product(u);
  add(gap, -1, au);
  add(gap, -1, av);
  found.additivity = norm(gap);
  return found;
}

void refuse_above(double value, double limit, const char* probe, const char* formula, const char* meaning) {
  if (value <= limit) return;
  throw Refusal(fmt::format("{}: {} is {:.3g} of the operator's norm, at most {:.3g} is rounding; {}", probe,
                            formula, value, limit, meaning));
}

}  // namespace

Probes probe(krylov::LinearOperator& op, uint64_t seed) {
  Prober product(op);
  const auto draw_v = [&] { return random_unit_vector(op.dim(), seed, "probe v"); };
  const Vector av = product(draw_v());
  const double repeated = distance(product(draw_v()), av);
  Vector u = random_unit_vector(op.dim(), seed, "probe u");
  Vector au = product(u);
  const Gaps random = gaps(product, std::move(u), au, draw_v, av);
  // Rounding grows with ||A v||: a random vector alone, which lies in the bulk, would show too little of it.
  u = dominant_direction(product, std::move(au));
  au = product(u);
  const Gaps dominant = gaps(product, std::move(u), au, draw_v, av);
  const double unit = product.norm_seen() > 0 ? product.norm_seen() : 1;
  return {.repeatability = repeated / unit,
          .additivity = std::max(random.additivity, dominant.additivity) / unit,
          .symmetry = std::max(random.symmetry, dominant.symmetry) / unit,
          .norm = product.norm_seen()};
}

void require_symmetric_linear(const Probes& probes, double epsilon) {
  refuse_above(probes.repeatability, 10 * epsilon, "repeatability", "||A v - A v||",
               "the operator is not deterministic (dropout, batch statistics or shuffling?)");
  refuse_above(probes.additivity, std::sqrt(epsilon), "additivity", "||A (u + v) - A u - A v||",
               "the operator is not linear");
  refuse_above(probes.symmetry, std::sqrt(epsilon), "symmetry", "|u' A v - v' A u|",
               "the operator is not symmetric");
}

}  // namespace ritzflow::curvature
