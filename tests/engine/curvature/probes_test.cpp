#include "curvature/probes.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <functional>
#include <limits>

#include "core/error.h"

namespace ritzflow::curvature {
namespace {

/// An operator given by its product, for tests.
class Product : public krylov::LinearOperator {
 public:
  using Function = std::function<void(VectorView, VectorSpan)>;
  Product(int64_t n, Function apply) : n_(n), apply_(std::move(apply)) {}
  int64_t dim() const override { return n_; }
  void apply(VectorView v, VectorSpan out) override { apply_(v, out); }

 private:
  int64_t n_;
  Function apply_;
};

/// diag(1, ..., n).
void diagonal(VectorView v, VectorSpan out) {
  for (size_t i = 0; i < v.size(); ++i) out[i] = static_cast<double>(i + 1) * v[i];
}

Probes probes_of(Product::Function apply, int64_t n = 20) {
  Product op(n, std::move(apply));
  return probe(op, 1);
}

TEST(Probes, FindNothingWrongWithASymmetricMatrix) {
  const Probes probes = probes_of(diagonal);
  EXPECT_EQ(probes.repeatability, 0);
  EXPECT_LT(probes.additivity, 1e-15);
  EXPECT_LT(probes.symmetry, 1e-15);
  EXPECT_GT(probes.norm, 15);
  EXPECT_LE(probes.norm, 20);
  EXPECT_NO_THROW(require_symmetric_linear(probes, DBL_EPSILON));
}

TEST(Probes, AZeroOperatorDividesByNothing) {
  const Probes probes = probes_of([](VectorView, VectorSpan out) { std::fill(out.begin(), out.end(), 0.0); });
  EXPECT_EQ(probes.norm, 0);
  EXPECT_EQ(probes.repeatability, 0);
  EXPECT_EQ(probes.additivity, 0);
  EXPECT_EQ(probes.symmetry, 0);
  EXPECT_NO_THROW(require_symmetric_linear(probes, DBL_EPSILON));
}

TEST(Probes, ATinyOperatorIsJudgedRelativeToItsNorm) {
  const auto tiny_and_skew = [](VectorView v, VectorSpan out) {
    for (size_t i = 0; i < v.size(); ++i) out[i] = 1e-9 * v[(i + 1) % v.size()];
  };
  EXPECT_THROW(require_symmetric_linear(probes_of(tiny_and_skew), FLT_EPSILON), Refusal);
}

TEST(Probes, RefuseAnOperatorThatIsNotDeterministic) {
  int call = 0;
  const auto dropout = [&call](VectorView v, VectorSpan out) {
    diagonal(v, out);
    out[static_cast<size_t>(++call) % out.size()] = 0;
  };
  const Probes probes = probes_of(dropout);
  EXPECT_GT(probes.repeatability, 1e-4);
  EXPECT_THROW(require_symmetric_linear(probes, FLT_EPSILON), Refusal);
}

TEST(Probes, RefuseAnOperatorThatIsNotLinear) {
  const auto affine = [](VectorView v, VectorSpan out) {
    diagonal(v, out);
    out[0] += 1;
  };
  EXPECT_THROW(require_symmetric_linear(probes_of(affine), FLT_EPSILON), Refusal);
}

TEST(Probes, RefuseAProductThatIsNotFinite) {
  const auto overflow = [](VectorView v, VectorSpan out) {
    diagonal(v, out);
    out[3] = std::numeric_limits<double>::quiet_NaN();
  };
  EXPECT_THROW(probes_of(overflow), Refusal);
}

TEST(Probes, WorkInOneDimension) {
  const Probes probes = probes_of(diagonal, 1);
  EXPECT_DOUBLE_EQ(probes.norm, 1);
}

}  // namespace
}  // namespace ritzflow::curvature
