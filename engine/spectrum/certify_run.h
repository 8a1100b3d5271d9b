#pragma once
#include "app/stage.h"
#include "krylov/certificate/certificate.h"
#include "krylov/lanczos.h"
#include "krylov/process/operator_facts.h"
#include "spectrum/basis_plan.h"
#include "spectrum/lanczos_file.h"

namespace ritzflow::spectrum {

/// The lower bound of a certificate, which for a semi-definite operator is at least 0.
double lower_bound_of(const krylov::Certificate& certificate, bool is_psd);

/// Why no certificate can follow a run; empty where one can.
std::string no_certificate(const CertificateSettings& asked, const krylov::Reorthogonalization& mode,
                           const krylov::LanczosOutcome& outcome, int64_t k);

/// certify() after a run whose wanted pairs have settled in a mode that keeps orthogonality: looks for
/// eigenvalues that one start vector cannot show, and adds what it finds to `record`. Holds no more vectors
/// than the run did, 20 at least: in files that `scratch` gives, in host memory where it is empty. One line
/// of the log says what came of it, and where that is not a certificate, why.
void certify_run(krylov::LinearOperator& op, const krylov::OperatorFacts& facts,
                 const CertificateSettings& asked, const krylov::LanczosProcess& process,
                 const RowFiles& scratch, const app::StageRun& stage, LanczosRecord& record);

}  // namespace ritzflow::spectrum
