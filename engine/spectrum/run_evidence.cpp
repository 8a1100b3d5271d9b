#include "spectrum/run_evidence.h"

#include <algorithm>
#include <cmath>

#include "core/kernels.h"
#include "krylov/process/tolerance.h"
#include "krylov/ritz/intervals.h"

namespace ritzflow::spectrum {
namespace {

krylov::EvidenceOptions options_of(const LanczosRecord& record, const krylov::OperatorFacts& facts,
                                   krylov::Basis* shelf) {
  const LanczosSettings& s = record.settings;
  return {.k = s.k,
          .which = s.which,
          .tol = s.tol,
          .norm_a = std::max(facts.norm, record.factorization.norm_estimate),
          .noise = facts.noise,
          .epsilon = facts.epsilon,
          .shelf = shelf};
}

// Pairs that the certificate found beyond the wanted ones, measured there, take their place in the list.
void add_found(krylov::RitzEvidence& evidence, const RitzContext& context) {
  for (krylov::RitzPair pair : context.record.certificate->found) {
    krylov::judge_pair(context.options, pair);
    evidence.pairs.push_back(std::move(pair));
  }
  std::stable_sort(evidence.pairs.begin(), evidence.pairs.end(),
                   [](const krylov::RitzPair& a, const krylov::RitzPair& b) { return a.value > b.value; });
}

}  // namespace

krylov::RitzEvidence run_evidence(krylov::LinearOperator& op, const krylov::OperatorFacts& facts,
                                  const krylov::Combinations& vectors, krylov::Basis* shelf,
                                  RitzContext& context) {
  context.options = options_of(context.record, facts, shelf);
  context.asymmetry = facts.asymmetry;
  krylov::RitzEvidence evidence = krylov::ritz_evidence(op, context.record.factorization, vectors,
                                                        context.record.mode(), context.options);
  context.options.norm_a = evidence.norm_a;
  if (const auto& known = context.record.certificate) {
    add_found(evidence, context);
    const double slack = krylov::product_error(facts.noise, facts.epsilon) * evidence.norm_a;
    krylov::narrow_by_gaps(evidence.pairs, {known->lower_bound, known->upper_bound}, slack);
  }
  return evidence;
}

bool lacks_gammas(const krylov::RitzEvidence& evidence) {
  return std::ranges::any_of(evidence.pairs,
                             [](const krylov::RitzPair& pair) { return std::isnan(pair.gamma); });
}

void fill_gammas(krylov::RitzEvidence& evidence, krylov::Basis* shelf, VectorView start) {
  for (krylov::RitzPair& pair : evidence.pairs)
    if (std::isnan(pair.gamma)) pair.gamma = std::pow(dot(krylov::PairVector(pair, shelf).view(), start), 2);
}

int64_t count_converged(const krylov::RitzEvidence& evidence) {
  return std::ranges::count(evidence.pairs, krylov::Verdict::converged, &krylov::RitzPair::verdict);
}

}  // namespace ritzflow::spectrum
