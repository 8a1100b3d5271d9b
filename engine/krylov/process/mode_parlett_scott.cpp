#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/kernels.h"
#include "krylov/process/reorthogonalization.h"
#include "krylov/process/tridiagonal.h"

namespace ritzflow::krylov {

const ModeTraits ParlettScott::traits = {
    .mode = ReorthMode::parlett_scott, .keeps = Orthogonality::semi, .stops_early = true};

namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();

// Below this multiple of ||A|| beta magnifies what vectors have along one another by more than may be left to
// the tau recurrence, which sees the good Ritz vectors alone.
constexpr double kSmallBeta = 1e-4;

// T of the steps 0..j; the mode keeps no state of its own, so that a continued run has the same bits.
struct Tridiagonal {
  std::vector<double> alpha, beta;

  // Of the earlier steps ...
  Tridiagonal(const LanczosHistory& history, size_t steps)
      : beta(history.beta.begin(), history.beta.begin() + static_cast<std::ptrdiff_t>(steps)) {
    for (size_t i = 0; i < steps; ++i) alpha.push_back(history.columns[i].back());
  }
  // ... and of the current one.
  Tridiagonal(const LanczosHistory& history, double alpha_j, double beta_j)
      : Tridiagonal(history, history.columns.size()) {
    alpha.push_back(alpha_j);
    beta.push_back(beta_j);
  }
};

// Eigenvalues of T closer than level ||T||, places first..last-1 in ascending order. The combinations of
// their eigenvectors with s_j = 0 are good whatever the coupling of each: so it stays when a further copy of
// a multiple eigenvalue comes near and mixes with what has converged.
struct Group {
  Eigen::Index first = 0, last = 0;
  bool whole = false;  // beta_j ||(s_j of all)|| < level ||T||
  double value = 0;

  Eigen::Index good() const { return last - first - (whole ? 0 : 1); }
};

// The good Ritz vectors, beta_j |s_ji| < level ||T||: they have converged, and Lanczos vectors lose
// orthogonality along them first (Paige).
struct GoodSet {
  std::vector<Group> groups;
  Eigen::Index size = 0;
  double norm = 0;  // ||T||

  GoodSet(const Tridiagonal& t, double level) {
    const TridiagonalEigen eigen = tridiagonal_eigen(t.alpha, t.beta);
    const auto m = static_cast<Eigen::Index>(eigen.values.size());
    const auto at = [](Eigen::Index i) { return static_cast<size_t>(i); };
    norm = std::max(std::abs(eigen.values.front()), std::abs(eigen.values.back()));
    for (Eigen::Index first = 0, last; first < m; first = last) {
      double square = 0;
      for (last = first; last < m; ++last) {
        if (last > first && eigen.values[at(last)] - eigen.values[at(last - 1)] > level * norm) break;
        square += eigen.last[at(last)] * eigen.last[at(last)];
      }
      const Group group{first, last, t.beta.back() * std::sqrt(square) < level * norm,
                        eigen.values[at(first)]};
      if (group.good() > 0) groups.push_back(group);
      size += group.good();
    }
  }

  // Their coefficients [m, size]: of a group that is not whole, all but the combination that carries s_j.
  Eigen::MatrixXd coefficients(const Tridiagonal& t) const {
    const Eigen::MatrixXd all = tridiagonal_eigenvectors(t.alpha, t.beta).vectors;
    Eigen::MatrixXd s(all.rows(), size);
    Eigen::Index to = 0;
    for (const Group& group : groups) {
      Eigen::MatrixXd block = all.middleCols(group.first, group.last - group.first);
      if (!group.whole) {
        const Eigen::VectorXd carrier = block.bottomRows(1).transpose();
        block *= Eigen::HouseholderQR<Eigen::MatrixXd>(carrier).householderQ();
        block = block.rightCols(group.good()).eval();
      }
      s.middleCols(to, group.good()) = block;
      to += group.good();
    }
    return s;
  }
};

// Whether a step was made orthogonal to Ritz vectors: its column of H has more than the recurrence's entries.
bool recorded(const std::vector<double>& column) {
  return column.size() > 2 &&
         std::any_of(column.begin(), column.end() - 2, [](double entry) { return entry != 0; });
}

// |y'q_(j+1)| of a good y that q_clean and q_(clean-1) were made orthogonal to:
// tau_(t+1) = (|theta - alpha_t| tau_t + beta_(t-1) tau_(t-1) + floor ||T||) /
// beta_t.
double tau(const Tridiagonal& t, size_t clean, double theta, double floor, double norm_t) {
  double before = floor, now = floor;
  for (size_t i = clean; i < t.alpha.size(); ++i) {
    const double previous = i > 0 ? t.beta[i - 1] * before : 0;
    // A breakdown is followed by a direction that was made orthogonal to all rows.
    const double next = std::abs(theta - t.alpha[i]) * now + previous + floor * norm_t;
    before = std::exchange(now, t.beta[i] == 0 ? floor : next / t.beta[i]);
  }
  return now;
}

// Whether this step has to be made orthogonal to the good Ritz vectors. It always is for two steps in a row,
// because the recurrence carries two vectors on.
bool due(const LanczosHistory& history, const Tridiagonal& t, const GoodSet& good, double floor,
         double level) {
  const auto& columns = history.columns;
  const auto last = std::find_if(columns.rbegin(), columns.rend(), recorded);
  const auto first_of_row = std::find_if_not(last, columns.rend(), recorded);
  if (last == columns.rbegin() && (first_of_row - last) % 2 == 1) return true;
  const auto clean = static_cast<size_t>(columns.rend() - last);  // steps up to the last recorded one
  const Eigen::Index known = clean == 0 ? 0 : GoodSet(Tridiagonal(history, clean), level).size;
  return good.size > known || std::any_of(good.groups.begin(), good.groups.end(), [&](const Group& group) {
           return tau(t, clean, group.value, floor, good.norm) > level;
         });
}

}  // namespace

double detail::orthogonalize(const ParlettScott& mode, const Basis& basis, const LanczosHistory& history,
                             VectorSpan w, std::span<double> column) {
  const double length = orthogonalize(Off{}, basis, history, w, column);
  if (length == 0) return length;
  const double floor = rounding_floor(basis, mode.noise), level = std::sqrt(std::max(kEps, mode.noise));
  if (near_breakdown(history, length, std::max(floor, kSmallBeta * level), level))
    return orthogonalize(Full{}, basis, history, w, column);
  if (basis.size() < 3) return length;
  const Tridiagonal t(history, column.back(), length);
  const GoodSet good(t, level);
  if (good.size == 0 || !due(history, t, good, floor, level)) return length;
  // y = Q's of each good pair: w <- w - Q'S S'Q w in two reads of Q, without a second copy of the y. What w
  // has along other vectors is measured on the way: more than `level` of it is not a case for this mode, as
  // where copies of an eigenvalue that are not good yet mix.
  const Eigen::MatrixXd s = good.coefficients(t);
  Eigen::VectorXd all(basis.size());
  basis.dots(0, w, {all.data(), column.size()});
  const Eigen::VectorXd c = s * (s.transpose() * all);
  if ((all - c).cwiseAbs().maxCoeff() > level * length)
    return orthogonalize(Full{}, basis, history, w, column);
  basis.subtract(0, {c.data(), column.size()}, w);
  for (size_t i = 0; i < column.size(); ++i) column[i] += c[static_cast<Eigen::Index>(i)];
  const double left = norm(w);
  return one_pass_is_enough(length, left) ? left : orthogonalize(Full{}, basis, history, w, column);
}

}  // namespace ritzflow::krylov
