#include "curvature/operators/frobenius.h"

#include <cmath>
#include <vector>

#include "core/kernels.h"
#include "core/philox.h"

namespace ritzflow::curvature {
namespace {

using Vector = std::vector<double>;

/// ||(A - B) v||^2 and ||B v||^2, a pair a vector v.
class Samples {
 public:
  Samples(krylov::LinearOperator& a, krylov::LinearOperator& b)
      : a_(a), b_(b), av_(static_cast<size_t>(a.dim())), bv_(av_.size()) {}

  void add(const Vector& v) {
    a_.apply(v, av_);
    b_.apply(v, bv_);
    reference.push_back(dot(bv_, bv_));
    for (size_t i = 0; i < v.size(); ++i) av_[i] -= bv_[i];
    difference.push_back(dot(av_, av_));
  }

  Vector difference, reference;

 private:
  krylov::LinearOperator &a_, &b_;
  Vector av_, bv_;
};

double sum(const Vector& x) {
  double total = 0;
  for (const double value : x) total += value;
  return total;
}

double ratio(double difference, double reference) {
  if (reference == 0) return difference == 0 ? 0 : HUGE_VAL;
  return std::sqrt(difference / reference);
}

/// Of sqrt(sum d / sum r), by leaving out one sample after the other.
double jackknife_error(const Samples& samples, double d, double r) {
  const auto count = static_cast<double>(samples.reference.size());
  Vector left_out;
  for (size_t i = 0; i < samples.reference.size(); ++i) {
    left_out.push_back(ratio(d - samples.difference[i], r - samples.reference[i]));
  }
  const double mean = sum(left_out) / count;
  double spread = 0;
  for (const double value : left_out) spread += (value - mean) * (value - mean);
  return std::sqrt(spread * (count - 1) / count);
}

}  // namespace

FrobeniusError frobenius_error(krylov::LinearOperator& a, krylov::LinearOperator& b) {
  Samples samples(a, b);
  Vector unit(static_cast<size_t>(a.dim()));
  for (double& element : unit) {
    element = 1;
    samples.add(unit);
    element = 0;
  }
  return {ratio(sum(samples.difference), sum(samples.reference)), 0};
}

FrobeniusError estimated_frobenius_error(krylov::LinearOperator& a, krylov::LinearOperator& b, int64_t probes,
                                         uint64_t seed, const std::string& purpose) {
  const Philox random(seed, "compare-kfac", "probes " + purpose);
  Samples samples(a, b);
  Vector v(static_cast<size_t>(a.dim()));
  uint64_t counter = 0;
  for (int64_t s = 0; s < probes; ++s) {
    for (double& element : v) element = (random.bits(counter++) & 1) != 0 ? 1.0 : -1.0;
    samples.add(v);
  }
  const double d = sum(samples.difference), r = sum(samples.reference);
  return {ratio(d, r), jackknife_error(samples, d, r)};
}

}  // namespace ritzflow::curvature
