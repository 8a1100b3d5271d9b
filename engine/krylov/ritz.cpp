#include "krylov/ritz.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "krylov/projected.h"

namespace ritzflow {
namespace {

std::vector<RitzCandidate> candidates_of_t(const KrylovFactorization& f) {
  const int64_t m = f.size();
  const SymmetricEigen eigen = projected_eigen(f);
  std::vector<RitzCandidate> all;
  for (int64_t i = m - 1; i >= 0; --i) {
    const Eigen::VectorXd s = eigen.vectors.col(i);
    const double gamma = f.spike.empty() ? s[0] * s[0] : std::nan("");
    all.push_back({eigen.values[i], f.beta.back() * std::abs(s[m - 1]), gamma, s, {}});
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

std::vector<RitzCandidate> ritz_candidates(const KrylovFactorization& f, const Reorthogonalization& mode) {
  if (f.size() == 0) return {};
  const bool only_t = std::holds_alternative<Off>(mode) || std::holds_alternative<Full>(mode) ||
                      std::holds_alternative<ThickRestart>(mode);
  return !only_t ? candidates_of_h(f) : candidates_of_t(f);
}

}  // namespace ritzflow
