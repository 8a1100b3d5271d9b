#include "krylov/certificate/certificate_end.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace ritzflow::krylov {

void CertificateEnd::set_bound(double u, double goal, double slack) {
  double now = lifted(rest, u);
  for (double value : converged) {  // ascending, and so do bounds
    if (value > now + 2 * slack) break;
    now = lifted(std::max(rest, value), u);
  }
  bound = std::min(bound, now + slack);
  certified = asked && bound <= threshold + goal;
}

// The bound of eigenvalues with deflated ones up to `below` among them; u of -infinity: nothing else is left.
double CertificateEnd::lifted(double below, double u) const {
  const double coupling = std::sqrt(coupling_square);
  if (std::isinf(below)) return u;
  if (std::isinf(u)) return u > 0 ? u : below + coupling;
  return 0.5 * (below + u + std::hypot(below - u, 2 * coupling));
}

// Either the bound stays below the threshold, which is then no rest, or within the goal above it.
double CertificateEnd::enough(double goal, double slack) const {
  const auto lowest_u = [&](double below, double c) {
    if (std::isinf(below)) return c;
    return c > below ? c - coupling_square / (c - below) : -std::numeric_limits<double>::infinity();
  };
  const double within = lowest_u(std::max(rest, threshold), threshold + goal - slack);
  return std::max(lowest_u(rest, threshold - 2 * slack), within);
}

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Places of the wanted ones among `values`, end by end; none where some are missing.
std::vector<std::vector<size_t>> wanted_places(const std::vector<double>& values, Which which, int64_t k) {
  std::vector<std::vector<size_t>> places;
  for (const auto& end : wanted_ends(values, which, k)) {
    places.emplace_back(end.order.begin(), end.order.begin() + end.count);
  }
  const bool missing = static_cast<int64_t>(values.size()) < k;
  return missing ? std::vector<std::vector<size_t>>(places.size()) : places;
}

// What `which` asks for at one end: the list of wanted_ends() that speaks of it.
std::optional<size_t> list_of(End end, Which which, int64_t k) {
  const bool upper = end == End::upper;
  switch (which) {
    case Which::largest:
      return upper ? std::optional<size_t>(0) : std::nullopt;
    case Which::smallest:
      return upper ? std::nullopt : std::optional<size_t>(0);
    case Which::both:
      if (!upper && k == 1) return std::nullopt;
      return upper ? 0 : 1;
    case Which::magnitude:
      return 0;
  }
  return std::nullopt;
}

}  // namespace

std::vector<CertificateEnd> certificate_ends(const std::vector<KnownValue>& known, Which which, int64_t k) {
  std::vector<double> values, rest;
  double coupling_square = 0;
  for (const auto& pair : known) {
    (pair.converged ? values : rest).push_back(pair.value);
    coupling_square += pair.residual * pair.residual;
  }
  std::sort(values.rbegin(), values.rend());
  const auto places = wanted_places(values, which, k);
  std::vector<CertificateEnd> ends;
  for (const End side : kEnds) {
    CertificateEnd end;
    end.side = side;
    end.coupling_square = coupling_square;
    for (double value : rest) end.rest = std::max(end.rest, seen_from(side, value));
    for (double value : values) end.converged.push_back(seen_from(side, value));
    std::sort(end.converged.begin(), end.converged.end());
    const auto list = list_of(side, which, k);
    end.asked = list.has_value();
    if (list && !places[*list].empty()) {
      end.threshold = kInfinity;
      for (size_t i : places[*list]) {
        const double value = which == Which::magnitude ? std::abs(values[i]) : seen_from(side, values[i]);
        end.threshold = std::min(end.threshold, value);
      }
    }
    ends.push_back(end);
  }
  return ends;
}

}  // namespace ritzflow::krylov
