#include "krylov/tridiagonal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace ritzflow {
namespace {

constexpr int kMaxSweeps = 60;

// The first index >= l whose coupling to the next is negligible.
size_t split(const std::vector<double>& d, const std::vector<double>& e, size_t l) {
  size_t m = l;
  while (m + 1 < d.size()) {
    const double scale = std::abs(d[m]) + std::abs(d[m + 1]);
    if (std::abs(e[m]) <= std::numeric_limits<double>::epsilon() * scale || e[m] == 0) break;
    ++m;
  }
  return m;
}

// One implicit QL sweep on rows l..m; the rotations also act on the first and last rows of the eigenvectors.
void sweep(std::vector<double>& d, std::vector<double>& e, size_t l, size_t m, TridiagonalEigen& eigen) {
  double g = (d[l + 1] - d[l]) / (2 * e[l]);
  double r = std::hypot(g, 1.0);
  g = d[m] - d[l] + e[l] / (g + std::copysign(r, g));
  double s = 1, c = 1, p = 0;
  for (size_t i = m; i-- > l;) {
    const double f = s * e[i], b = c * e[i];
    r = std::hypot(f, g);
    e[i + 1] = r;
    if (r == 0) {  // an exact split inside the sweep
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    for (auto* row : {&eigen.first, &eigen.last}) {
      const double z = (*row)[i + 1];
      (*row)[i + 1] = s * (*row)[i] + c * z;
      (*row)[i] = c * (*row)[i] - s * z;
    }
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

void sort_ascending(TridiagonalEigen& eigen) {
  std::vector<size_t> order(eigen.values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return eigen.values[a] < eigen.values[b]; });
  const TridiagonalEigen old = eigen;
  for (size_t i = 0; i < order.size(); ++i) {
    eigen.values[i] = old.values[order[i]];
    eigen.first[i] = old.first[order[i]];
    eigen.last[i] = old.last[order[i]];
  }
}

}  // namespace

TridiagonalEigen tridiagonal_eigen(std::span<const double> alpha, std::span<const double> beta) {
  const size_t m = alpha.size();
  TridiagonalEigen eigen{{}, std::vector<double>(m, 0.0), std::vector<double>(m, 0.0)};
  if (m == 0) return eigen;
  std::vector<double> d(alpha.begin(), alpha.end()), e(m, 0.0);
  std::copy(beta.begin(), beta.begin() + static_cast<std::ptrdiff_t>(m - 1), e.begin());
  eigen.first.front() = 1;
  eigen.last.back() = 1;
  for (size_t l = 0; l < m; ++l) {
    for (int sweeps = 0;; ++sweeps) {
      const size_t end = split(d, e, l);
      if (end == l) break;
      if (sweeps == kMaxSweeps) throw Error(ExitCode::failure, "the eigenvalues of T did not converge");
      sweep(d, e, l, end, eigen);
    }
  }
  eigen.values = std::move(d);
  sort_ascending(eigen);
  return eigen;
}

}  // namespace ritzflow
