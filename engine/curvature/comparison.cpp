#include "curvature/comparison.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "krylov/evidence.h"
#include "krylov/lanczos.h"

namespace ritzflow {
namespace {

using Vector = std::vector<double>;

/// ||x||^2 over the coordinates of `ranges`.
double squared_norm(const Vector& x, const std::vector<Range>& ranges) {
  double sum = 0;
  for (const auto& range : ranges) {
    for (int64_t i = range.first; i < range.first + range.count; ++i) {
      sum += x[static_cast<size_t>(i)] * x[static_cast<size_t>(i)];
    }
  }
  return sum;
}

/// ||(A - B) v||^2 and ||B v||^2 over some coordinates, a pair a vector v.
struct Samples {
  Vector difference, reference;

  void add(const Vector& d, const Vector& r, const std::vector<Range>& ranges) {
    difference.push_back(squared_norm(d, ranges));
    reference.push_back(squared_norm(r, ranges));
  }
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

/// sqrt(sum d / sum r). As an estimate, its standard error is the jackknife's over the vectors.
FrobeniusError error_of(const Samples& samples, bool exact) {
  const double d = sum(samples.difference), r = sum(samples.reference);
  FrobeniusError error{ratio(d, r), 0};
  const size_t count = samples.reference.size();
  if (exact || count < 2) return error;
  Vector left_out;
  for (size_t i = 0; i < count; ++i) {
    left_out.push_back(ratio(d - samples.difference[i], r - samples.reference[i]));
  }
  const double mean = sum(left_out) / static_cast<double>(count);
  double spread = 0;
  for (const double value : left_out) spread += (value - mean) * (value - mean);
  error.standard_error = std::sqrt(spread * static_cast<double>(count - 1) / static_cast<double>(count));
  return error;
}

class Prober {
 public:
  Prober(LinearOperator& a, LinearOperator& b)
      : a_(a), b_(b), difference(static_cast<size_t>(a.dim())), reference(difference.size()) {}

  void apply(const Vector& v) {
    a_.apply(v, difference);
    b_.apply(v, reference);
    for (size_t i = 0; i < v.size(); ++i) difference[i] -= reference[i];
  }

 private:
  LinearOperator &a_, &b_;

 public:
  Vector difference, reference;  ///< (A - B) v and B v of the last v
};

FrobeniusComparison from_columns(Prober& prober, const std::vector<NamedRanges>& parts) {
  const auto n = static_cast<int64_t>(prober.reference.size());
  Samples whole;
  std::vector<Samples> of_part(parts.size());
  Vector unit(static_cast<size_t>(n));
  const auto holds = [](const Range& range, int64_t j) {
    return j >= range.first && j < range.first + range.count;
  };
  for (int64_t j = 0; j < n; ++j) {
    unit[static_cast<size_t>(j)] = 1;
    prober.apply(unit);
    unit[static_cast<size_t>(j)] = 0;
    whole.add(prober.difference, prober.reference, {{0, n}});
    for (size_t p = 0; p < parts.size(); ++p) {
      const auto& ranges = parts[p].ranges;
      if (std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return holds(r, j); })) {
        of_part[p].add(prober.difference, prober.reference, ranges);
      }
    }
  }
  FrobeniusComparison result{.exact = true, .whole = error_of(whole, true), .parts = {}};
  for (const auto& samples : of_part) result.parts.push_back(error_of(samples, true));
  return result;
}

FrobeniusError from_probes(Prober& prober, const std::vector<Range>& ranges, int64_t probes,
                           const Philox& random) {
  Samples samples;
  Vector v(prober.reference.size());
  uint64_t counter = 0;
  for (int64_t s = 0; s < probes; ++s) {
    for (const auto& range : ranges) {
      for (int64_t i = range.first; i < range.first + range.count; ++i) {
        v[static_cast<size_t>(i)] = (random.bits(counter++) & 1) != 0 ? 1.0 : -1.0;
      }
    }
    prober.apply(v);
    samples.add(prober.difference, prober.reference, ranges);
  }
  return error_of(samples, false);
}

Eigen::MatrixXd columns(const std::vector<Eigenpair>& pairs) {
  const auto n = static_cast<Eigen::Index>(pairs.front().vector.size());
  Eigen::MatrixXd x(n, static_cast<Eigen::Index>(pairs.size()));
  for (size_t i = 0; i < pairs.size(); ++i) {
    x.col(static_cast<Eigen::Index>(i)) = Eigen::Map<const Eigen::VectorXd>(pairs[i].vector.data(), n);
  }
  return x;
}

}  // namespace

FrobeniusComparison compare_frobenius(LinearOperator& a, LinearOperator& b,
                                      const std::vector<NamedRanges>& parts, int64_t exact_below,
                                      int64_t probes, uint64_t seed) {
  Prober prober(a, b);
  if (a.dim() <= exact_below) return from_columns(prober, parts);
  FrobeniusComparison result;
  result.whole = from_probes(prober, {{0, a.dim()}}, probes, Philox(seed, "compare-kfac", "probes"));
  for (const auto& part : parts) {
    result.parts.push_back(
        from_probes(prober, part.ranges, probes, Philox(seed, "compare-kfac", "probes " + part.name)));
  }
  return result;
}

std::vector<Eigenpair> leading_by_lanczos(LinearOperator& op, int64_t k, int64_t max_iters) {
  Vector start(static_cast<size_t>(op.dim()));
  Philox(0, "compare-kfac", "start").fill_normal(start);
  const Reorthogonalization mode = Full{};
  const LanczosOptions options{.k = k, .max_iters = std::min(max_iters, op.dim())};
  LanczosProcess process(op, start, mode, 0, true);
  run_lanczos(process, mode, options, [](const LanczosOutcome&) { return true; });
  const auto& f = process.factorization();
  auto evidence =
      ritz_evidence(op, f, process.basis(), mode,
                    {.k = k, .which = Which::largest, .tol = options.tol, .norm_a = f.norm_estimate()});
  std::vector<Eigenpair> pairs;
  for (auto& pair : evidence.pairs) pairs.push_back({pair.value, pair.residual, std::move(pair.vector)});
  return pairs;
}

LeadingComparison compare_leading(std::vector<Eigenpair> a, std::vector<Eigenpair> b) {
  const size_t count = std::min(a.size(), b.size());
  a.resize(count);
  b.resize(count);
  LeadingComparison result;
  if (count == 0) return result;
  for (size_t i = 0; i < count; ++i) {
    result.relative_errors.push_back(std::abs(a[i].value - b[i].value) / std::abs(b[i].value));
  }
  // Cosines of the principal angles are the singular values of X'Y.
  const Eigen::VectorXd cosines =
      Eigen::JacobiSVD<Eigen::MatrixXd>(columns(a).transpose() * columns(b)).singularValues();
  for (const double c : cosines) result.principal_angles.push_back(std::acos(std::min(1.0, c)));
  result.overlap = cosines.squaredNorm() / static_cast<double>(count);
  return result;
}

}  // namespace ritzflow
