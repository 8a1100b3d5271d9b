#include "krylov/process/composition.h"

#include <algorithm>
#include <stdexcept>

namespace ritzflow::krylov {
namespace {

class Sum : public LinearOperator {
 public:
  Sum(std::vector<double> coefficients, std::vector<OperatorPointer> parts)
      : coefficients_(std::move(coefficients)), parts_(std::move(parts)) {
    if (parts_.empty() || parts_.size() != coefficients_.size()) {
      throw std::invalid_argument("make_sum: as many coefficients as operators are needed, at least one");
    }
    for (const auto& part : parts_) {
      if (part->dim() != dim()) throw std::invalid_argument("make_sum: operators of different dimension");
    }
    part_.resize(static_cast<size_t>(dim()));
  }

  int64_t dim() const override { return parts_.front()->dim(); }

  void apply(VectorView v, VectorSpan out) override {
    std::ranges::fill(out, 0.0);
    for (size_t k = 0; k < parts_.size(); ++k) {
      parts_[k]->apply(v, part_);
      for (size_t i = 0; i < part_.size(); ++i) out[i] += coefficients_[k] * part_[i];
    }
  }

 private:
  std::vector<double> coefficients_;
  std::vector<OperatorPointer> parts_;
  std::vector<double> part_;
};

class Shifted : public LinearOperator {
 public:
  Shifted(OperatorPointer a, double sigma) : a_(std::move(a)), sigma_(sigma) {}

  int64_t dim() const override { return a_->dim(); }

  void apply(VectorView v, VectorSpan out) override {
    a_->apply(v, out);
    for (size_t i = 0; i < v.size(); ++i) out[i] += sigma_ * v[i];
  }

 private:
  OperatorPointer a_;
  double sigma_;
};

}  // namespace

OperatorPointer make_sum(std::vector<double> coefficients, std::vector<OperatorPointer> parts) {
  return std::make_unique<Sum>(std::move(coefficients), std::move(parts));
}

OperatorPointer make_scaled(double c, OperatorPointer a) {
  std::vector<OperatorPointer> parts;
  parts.push_back(std::move(a));
  return make_sum({c}, std::move(parts));
}

OperatorPointer make_shifted(OperatorPointer a, double sigma) {
  return std::make_unique<Shifted>(std::move(a), sigma);
}

}  // namespace ritzflow::krylov
