#pragma once
#include "krylov/process/operator_facts.h"
#include "spectrum/ritz_file.h"

namespace ritzflow::spectrum {

/// The evidence of a finished run: ritz_evidence() of `vectors`, the pairs that its certificate found, and
/// intervals narrowed where its bounds show a gap. Spends one product per pair. Sets `options` and
/// `asymmetry` of `context`, whose record is that of the run; `shelf` may take the vectors of pairs.
krylov::RitzEvidence run_evidence(krylov::LinearOperator& op, const krylov::OperatorFacts& facts,
                                  const krylov::Combinations& vectors, krylov::Basis* shelf,
                                  RitzContext& context);

/// Fills in the start vector's share of each pair, (x'v)^2, where s_1 does not give it: after a restart, and
/// of pairs that the certificate found.
void fill_gammas(krylov::RitzEvidence& evidence, krylov::Basis* shelf, VectorView start);

/// Whether fill_gammas() has anything to do.
bool lacks_gammas(const krylov::RitzEvidence& evidence);

/// Pairs with the verdict `converged`.
int64_t count_converged(const krylov::RitzEvidence& evidence);

}  // namespace ritzflow::spectrum
