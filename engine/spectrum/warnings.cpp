#include "spectrum/warnings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "krylov/process/tolerance.h"
#include "krylov/process/wanted.h"

namespace ritzflow::spectrum {
namespace {

int64_t converged_of(const std::vector<krylov::RitzPair>& pairs, const krylov::EvidenceOptions& options) {
  std::vector<double> values;
  std::vector<bool> converged;
  for (const krylov::RitzPair& pair : pairs) {
    if (pair.verdict == krylov::Verdict::ghost || pair.verdict == krylov::Verdict::spurious) continue;
    values.push_back(pair.value);
    converged.push_back(pair.verdict == krylov::Verdict::converged);
  }
  return krylov::wanted_converged(values, converged, options.which, options.k);
}

// Whether the space was seen as a whole, so that more iterations would add nothing.
bool whole_space(const LanczosRecord& record) {
  return record.factorization.exhausted || record.factorization.products >= record.n;
}

// Where a float32 basis rounds away more than unconverged pairs may have as residual, and more than the
// operator's noise, which has a warning of its own.
std::optional<std::string> rounding_of_basis(const RitzContext& context,
                                             const std::vector<krylov::RitzPair>& pairs) {
  const krylov::EvidenceOptions& o = context.options;
  const double floor = noise_floor(context.record.settings.dtype_basis, o.noise);
  if (!(floor > o.noise)) return std::nullopt;
  int64_t unconverged = 0, below = 0;
  double needed = 0;  // tol that would ask no pair for less
  for (const krylov::RitzPair& pair : pairs) {
    if (pair.verdict != krylov::Verdict::unconverged) continue;
    ++unconverged;
    const double enough = floor * o.norm_a / krylov::residual_goal(1, pair.value, o.norm_a);
    if (!(o.tol < enough)) continue;
    ++below;
    needed = std::max(needed, enough);
  }
  if (below == 0) return std::nullopt;
  const bool out_of_reach = needed >= 1;  // a residual as large as the value says nothing of it
  return fmt::format(
      "tol {:g} is below what a float32 basis rounds away, {:.3g} ||A||, for {} of {} unconverged pairs: use "
      "--dtype-basis float64{}",
      o.tol, floor, below, unconverged,
      out_of_reach ? "" : fmt::format(", or a tol of at least {:.2g}", needed));
}

}  // namespace

std::vector<std::string> method_warnings(const RitzContext& context, const krylov::RitzEvidence& evidence) {
  const krylov::EvidenceOptions& o = context.options;
  std::vector<std::string> list;
  const int64_t converged = converged_of(evidence.pairs, o), m = context.record.factorization.products;
  if (converged < o.k) list.push_back(fmt::format("only {} of {} wanted pairs converged", converged, o.k));
  const auto& certificate = context.record.certificate;
  const bool complete = converged >= o.k && certificate && certificate->certifies(o.which, o.k);
  if (m < 2 * o.k && !complete && !whole_space(context.record))
    list.push_back(fmt::format("too few iterations: {} for k = {}, fewer than 2 k", m, o.k));
  if (evidence.naive_ghosts > 0) {
    list.push_back(fmt::format("repeated values: {} of the naive top {} are copies or have no eigenpair",
                               evidence.naive_ghosts, o.k));
  }
  if (o.noise > o.tol) {
    list.push_back(fmt::format(
        "tol {:g} is below the operator's relative noise {:.3g}: use a tol above it, or products in "
        "float64",
        o.tol, o.noise));
  }
  if (const auto warning = rounding_of_basis(context, evidence.pairs)) list.push_back(*warning);
  if (context.asymmetry > krylov::product_error(o.noise, o.epsilon)) {
    list.push_back(
        fmt::format("asymmetry: |u'A v - v'A u| is {:.3g} ||A||, above the operator's relative noise {:.3g}",
                    context.asymmetry, o.noise));
  }
  return list;
}

}  // namespace ritzflow::spectrum
