#include "spectrum/certify_run.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "krylov/ritz/companions.h"
#include "krylov/ritz/evidence.h"

namespace ritzflow::spectrum {
namespace {

// The wanted pairs, by their estimates, and their neighbours. The bound needs no products for residuals.
std::vector<krylov::RitzPair> deflated_pairs(const krylov::LanczosProcess& process,
                                             const LanczosRecord& record) {
  const krylov::Reorthogonalization mode = record.mode();
  const krylov::LanczosOptions wanted = options_of(record.settings);
  const auto candidates = krylov::ritz_candidates(process.factorization(), mode);
  std::vector<krylov::RitzPair> pairs =
      krylov::wanted_pairs(candidates, process.basis(), wanted.which, wanted.k);
  std::erase_if(pairs,
                [](const krylov::RitzPair& pair) { return pair.verdict != krylov::Verdict::unconverged; });
  for (krylov::RitzPair& pair : pairs) pair.verdict = krylov::Verdict::converged;
  if (krylov::traits_of(mode).keeps == krylov::Orthogonality::full) {
    for (krylov::RitzPair& pair :
         krylov::companions(candidates, process.basis(), wanted.which, wanted.k, 2 * wanted.k)) {
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

// Why the search ended where the wanted pairs are not certified, and what would take it further.
std::string end_of(const krylov::Certificate& certificate, const krylov::CertificateOptions& options) {
  const auto unconverged = [](const krylov::RitzPair& pair) {
    return pair.verdict != krylov::Verdict::converged;
  };
  if (std::any_of(certificate.found.begin(), certificate.found.end(), unconverged))
    return "a pair that it found does not meet the tolerance (larger: --tol)";
  if (certificate.out_of_rows) return "it holds as many vectors as the run (more: --krylov-dim)";
  if (certificate.hopeless) return "the bound falls too slowly for its budget (more: --certificate-budget)";
  return certificate.calls < options.budget ? "no fresh start vector shows more than an invariant subspace"
                                            : "its budget is spent (more: --certificate-budget)";
}

void report(const krylov::Certificate& certificate, const krylov::CertificateOptions& options, bool is_psd) {
  const auto said = [](bool certified) { return certified ? "certified" : "not certified"; };
  const bool done = certificate.certifies(options.which, options.k);
  spdlog::info(
      "certificate: {} products (budget {}), {} pairs found beyond the wanted ones; largest {}, smallest {}; "
      "all other eigenvalues in [{:.6g}, {:.6g}] except with probability {:g}{}",
      certificate.calls, options.budget, certificate.found.size(), said(certificate.certified_largest),
      said(certificate.certified_smallest), lower_bound_of(certificate, is_psd), certificate.upper_bound,
      options.delta, done ? "" : "; not certified, because " + end_of(certificate, options));
}

}  // namespace

double lower_bound_of(const krylov::Certificate& certificate, bool is_psd) {
  return is_psd ? std::max(0.0, certificate.lower_bound) : certificate.lower_bound;
}

std::string no_certificate(const CertificateSettings& asked, const krylov::Reorthogonalization& mode,
                           const krylov::LanczosOutcome& outcome, int64_t k) {
  if (asked.no_certificate) return "--no-certificate";
  if (!krylov::keeps_orthogonality(mode))
    return fmt::format("mode {} does not keep its vectors orthogonal", krylov::mode_name(mode));
  if (outcome.settled >= k) return {};
  return fmt::format("{} of {} wanted pairs meet the tolerance, all must (more: --max-iters)",
                     outcome.settled, k);
}

void certify_run(krylov::LinearOperator& op, const krylov::OperatorFacts& facts,
                 const CertificateSettings& asked, const krylov::LanczosProcess& process,
                 const RowFiles& scratch, const app::StageRun& stage, LanczosRecord& record) {
  const LanczosSettings& s = record.settings;
  const int64_t budget = certificate_budget(asked.certificate_budget, process.factorization().products);
  const std::vector<krylov::RitzPair> pairs = deflated_pairs(process, record);
  record.certificate_budget = budget;
  record.certificate_delta = asked.certificate_delta;
  krylov::CertificateOptions options = {
      .k = s.k,
      .which = s.which,
      .tol = s.tol,
      .delta = asked.certificate_delta,
      .budget = budget,
      .rows = certificate_rows(record.mode(), budget),
      .seed = static_cast<uint64_t>(s.seed),
      .draw = record.start.sha256,
      .norm_a = krylov::norm_with(pairs, std::max(facts.norm, process.factorization().norm_estimate)),
      .noise = noise_floor(s.dtype_basis, record.noise),
      .epsilon = record.epsilon};
  if (scratch) {
    options.new_basis = [n = op.dim(), scratch] {
      return krylov::make_disk_basis(n, BasisType::float64, scratch);
    };
  }
  app::Progress progress = stage.progress("products of the certificate", budget);
  record.certificate = krylov::certify(op, pairs, options, [&](int64_t calls) {
    progress.update(calls);
    return true;  // a signal ends the product log
  });
  report(*record.certificate, options, facts.is_psd);
}

}  // namespace ritzflow::spectrum
