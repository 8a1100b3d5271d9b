#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "artifact/reader.h"
#include "artifact/writer.h"
#include "krylov/certificate/certificate.h"
#include "krylov/process/factorization.h"
#include "spectrum/lanczos_options.h"
#include "spectrum/warm_start.h"

namespace ritzflow::spectrum {

/// A finished run of the stage `lanczos`, as it stands in lanczos.h5.
struct LanczosRecord {
  LanczosSettings settings;
  ReorthMode reorth_mode = ReorthMode::full;  ///< the mode that ran
  std::string reorth_reason;                  ///< why
  int64_t n = 0;                              ///< dimension of the operator
  WarmStart start;                            ///< what the start vector was made of
  krylov::KrylovFactorization factorization;
  int64_t converged = 0;
  int64_t basis_bytes = 0;
  double noise = 0;                                         ///< relative noise of a product, as probed
  double epsilon = std::numeric_limits<double>::epsilon();  ///< of the arithmetic of products
  std::string operator_sha256;
  std::optional<krylov::Certificate> certificate;  ///< what a deflated run found beyond the wanted pairs
  double certificate_delta = 0;
  int64_t certificate_budget = 0;  ///< products that it might spend

  /// All products: the iterations and the certificate's.
  int64_t operator_calls() const { return factorization.products + (certificate ? certificate->calls : 0); }

  krylov::Reorthogonalization mode() const;
};

/// Writes lanczos.h5; `basis` (all its rows, streamed) only where it is given.
void write_lanczos(const std::filesystem::path& out, const LanczosRecord& record, VectorView start,
                   const krylov::Basis* basis, const nlohmann::json& provenance);

/// The attributes of a warm start: none for a random one.
void write_start(artifact::ArtifactWriter& file, const WarmStart& start);

/// Relative noise of products through the stored vectors of a lanczos.h5, or of the one from which a ritz.h5
/// was made (noise_floor()).
double noise_floor(const artifact::ArtifactReader& file);

/// Reads the record back; the start vector, the rows of a kept basis and the residual vector stay in the
/// file.
LanczosRecord read_lanczos(const artifact::ArtifactReader& file);

}  // namespace ritzflow::spectrum
