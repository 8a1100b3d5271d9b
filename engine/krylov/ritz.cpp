#include "krylov/ritz.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/nearest.h"
#include "krylov/tridiagonal.h"

namespace ritzflow {
namespace {

std::vector<RitzCandidate> candidates_of_t(const KrylovFactorization& f) {
  const int64_t m = f.size();
  const TridiagonalVectors eigen = tridiagonal_eigenvectors(f.alphas(), f.beta);
  std::vector<RitzCandidate> all;
  for (int64_t i = m - 1; i >= 0; --i) {
    const Eigen::VectorXd s = eigen.vectors.col(i);
    all.push_back({eigen.values[i], f.beta.back() * std::abs(s[m - 1]), s[0] * s[0], s, {}});
  }
  return all;
}

std::vector<RitzCandidate> candidates_of_h(const KrylovFactorization& f) {
  const int64_t m = f.size();
  const Eigen::EigenSolver<Eigen::MatrixXd> solver(f.H());
  if (solver.info() != Eigen::Success)
    throw Error(ExitCode::failure, "the eigenvalues of H did not converge");
  std::vector<RitzCandidate> all;
  for (int64_t i = 0; i < m; ++i) {
    const auto theta = solver.eigenvalues()[i];
    if (theta.imag() < 0) continue;  // the conjugate of one that is taken
    const Eigen::VectorXcd z = solver.eigenvectors().col(i);
    const double length = z.real().norm();
    if (length < 1e-8) continue;
    const Eigen::VectorXd s = z.real() / length;
    all.push_back({theta.real(), f.beta.back() * std::abs(s[m - 1]), s[0] * s[0], s, {}});
    if (theta.imag() != 0) all.back().leftover = -theta.imag() / length * z.imag();
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.value > b.value; });
  return all;
}

}  // namespace

Which parse_which(const std::string& text) {
  if (text == "largest") return Which::largest;
  if (text == "smallest") return Which::smallest;
  if (text == "both") return Which::both;
  if (text == "magnitude") return Which::magnitude;
  throw InputError("--which '" + text + "' is not one of largest, smallest, both, magnitude" +
                   did_you_mean(text, {"largest", "smallest", "both", "magnitude"}));
}

std::vector<RitzCandidate> ritz_candidates(const KrylovFactorization& f, const Reorthogonalization& mode) {
  if (f.size() == 0) return {};
  return std::holds_alternative<Window>(mode) ? candidates_of_h(f) : candidates_of_t(f);
}

std::vector<WantedEnd> wanted_ends(const std::vector<double>& values, Which which, int64_t k) {
  std::vector<size_t> down(values.size());
  std::iota(down.begin(), down.end(), size_t{0});
  std::vector<size_t> up(down.rbegin(), down.rend());
  k = std::min(k, static_cast<int64_t>(values.size()));
  switch (which) {
    case Which::largest:
      return {{down, k}};
    case Which::smallest:
      return {{up, k}};
    case Which::both: {
      // The ends share no candidate: each looks at its own half only.
      const auto top = static_cast<std::ptrdiff_t>((values.size() + 1) / 2);
      std::vector<size_t> upper(down.begin(), down.begin() + top);
      std::vector<size_t> lower(up.begin(), up.end() - top);
      return {{upper, (k + 1) / 2}, {lower, k / 2}};
    }
    case Which::magnitude:
      std::stable_sort(down.begin(), down.end(),
                       [&](size_t a, size_t b) { return std::abs(values[a]) > std::abs(values[b]); });
      return {{down, k}};
  }
  return {};
}

double residual_goal(double tol, double theta, double norm_a) {
  const double eps = std::numeric_limits<double>::epsilon();
  return tol * std::max(std::abs(theta), std::pow(eps, 2.0 / 3.0) * norm_a);
}

}  // namespace ritzflow
