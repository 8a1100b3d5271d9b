#include "krylov/ritz/ritz_candidate.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "krylov/process/projected.h"

namespace ritzflow::krylov {
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

RitzCandidate candidate(const KrylovFactorization& f, double value, const Eigen::VectorXd& s) {
  return {value, f.beta.back() * std::abs(s[s.size() - 1]), s[0] * s[0], s, {}};
}

void sort(std::vector<RitzCandidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.value > b.value; });
}

// Z <- Z (I + K) with k_ij = m_ij / (m_jj - m_ii), M = Z^-1 H Z: to second order the eigenvectors of H,
// except those whose eigenvalues are no further apart than rounding or than H is from symmetry, which stay as
// orthogonal as they are: eigenvectors of H itself may all but coincide there.
void rotate_towards_eigenvectors(const Eigen::MatrixXd& h, double rounding, Eigen::MatrixXd& z) {
  constexpr double kLargestAngle = 0.1;
  const Eigen::MatrixXd m = z.partialPivLu().solve(h * z);
  Eigen::MatrixXd k = Eigen::MatrixXd::Identity(m.rows(), m.cols());
  for (Eigen::Index j = 0; j < m.cols(); ++j) {
    for (Eigen::Index i = 0; i < m.rows(); ++i) {
      const double gap = m(j, j) - m(i, i);
      if (std::abs(gap) <= rounding || std::abs(m(i, j)) > kLargestAngle * std::abs(gap)) continue;
      k(i, j) = m(i, j) / gap;
    }
  }
  z *= k;
  z.colwise().normalize();
}

// H of a basis that is orthogonal to the square root of rounding is as near to T: from T's eigenvectors a few
// steps, each of which squares the angles, lead to those of H. What is left is recorded.
std::vector<RitzCandidate> candidates_near_t(const KrylovFactorization& f) {
  constexpr int kSteps = 4;
  const Eigen::MatrixXd h = f.H();
  const double eps_norm = std::numeric_limits<double>::epsilon() * f.norm_estimate;
  Eigen::MatrixXd z = projected_eigen(f).vectors;
  const double one_cluster = 10 * static_cast<double>(h.rows()) * eps_norm;
  for (int step = 0; step < kSteps; ++step) rotate_towards_eigenvectors(h, one_cluster, z);
  std::vector<RitzCandidate> all;
  for (const auto s : z.colwise()) {
    const Eigen::VectorXd product = h * s;
    all.push_back(candidate(f, s.dot(product), s));
    const Eigen::VectorXd leftover = product - all.back().value * s;
    if (leftover.norm() > 4 * eps_norm) all.back().leftover = leftover;
  }
  sort(all);
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
    all.push_back(candidate(f, theta.real(), s));
    if (theta.imag() != 0) all.back().leftover = -theta.imag() / length * z.imag();
  }
  sort(all);
  return all;
}

}  // namespace

std::vector<RitzCandidate> ritz_candidates(const KrylovFactorization& f, const Reorthogonalization& mode) {
  if (f.size() == 0) return {};
  const ModeTraits& traits = traits_of(mode);
  if (traits.tridiagonal) return candidates_of_t(f);
  return traits.keeps == Orthogonality::semi ? candidates_near_t(f) : candidates_of_h(f);
}

}  // namespace ritzflow::krylov
