#include "krylov/process/composition.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <stdexcept>

#include "core/philox.h"

namespace ritzflow::krylov {
namespace {

Eigen::MatrixXd random_symmetric(Eigen::Index n, uint64_t seed) {
  Eigen::MatrixXd x(n, n);
  Philox(seed, "tests", "composition").fill_normal({x.data(), static_cast<size_t>(x.size())});
  return x + x.transpose();
}

class Dense : public LinearOperator {
 public:
  explicit Dense(Eigen::MatrixXd a) : a_(std::move(a)) {}
  int64_t dim() const override { return a_.rows(); }
  void apply(VectorView v, VectorSpan out) override {
    Eigen::Map<Eigen::VectorXd>(out.data(), a_.rows()) =
        a_ * Eigen::Map<const Eigen::VectorXd>(v.data(), a_.rows());
  }

 private:
  Eigen::MatrixXd a_;
};

OperatorPointer op(const Eigen::MatrixXd& a) { return std::make_unique<Dense>(a); }

Eigen::MatrixXd matrix(LinearOperator& a) {
  const auto n = static_cast<Eigen::Index>(a.dim());
  Eigen::MatrixXd result(n, n);
  std::vector<double> unit(static_cast<size_t>(n));
  for (Eigen::Index j = 0; j < n; ++j) {
    unit[static_cast<size_t>(j)] = 1;
    a.apply(unit, {result.col(j).data(), unit.size()});
    unit[static_cast<size_t>(j)] = 0;
  }
  return result;
}

const Eigen::MatrixXd a = random_symmetric(7, 1), b = random_symmetric(7, 2);

TEST(Composition, SumScaleAndShiftEqualTheirMatrices) {
  std::vector<OperatorPointer> parts;
  parts.push_back(op(a));
  parts.push_back(op(b));
  EXPECT_LE((matrix(*make_sum({2, -0.5}, std::move(parts))) - (2 * a - 0.5 * b)).norm(), 1e-14);
  EXPECT_LE((matrix(*make_scaled(3, op(a))) - 3 * a).norm(), 1e-14);
  EXPECT_LE((matrix(*make_shifted(op(a), -1.5)) - (a - 1.5 * Eigen::MatrixXd::Identity(7, 7))).norm(), 1e-14);
}

TEST(Composition, RefusesPartsOfDifferentDimension) {
  std::vector<OperatorPointer> parts;
  parts.push_back(op(a));
  parts.push_back(op(random_symmetric(3, 3)));
  EXPECT_THROW(make_sum({1, 1}, std::move(parts)), std::invalid_argument);
  EXPECT_THROW(make_sum({}, {}), std::invalid_argument);
}

}  // namespace
}  // namespace ritzflow::krylov
