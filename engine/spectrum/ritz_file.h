#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "artifact/writer.h"
#include "krylov/ritz/evidence.h"
#include "spectrum/lanczos_file.h"

namespace ritzflow::spectrum {

/// What a ritz.h5 says beside the pairs themselves.
struct RitzContext {
  LanczosRecord record;         ///< the run that the pairs come from
  std::string lanczos_sha256;   ///< content digest of its file
  std::string basis_source;     ///< stored | replayed | recomputed | two_pass
  int64_t expected_memory = 0;  ///< bytes at the peak, as stated before; 0: unknown
  int64_t replay_calls = 0;     ///< products spent on vectors that were not kept
  std::map<std::string, artifact::Attribute> operator_facts;  ///< attributes of the operator that tables need
  krylov::EvidenceOptions options;
  double asymmetry = 0;  ///< |u'A v - v'A u| / ||A|| of the operator's probes
};

/// Writes ritz.h5.
void write_ritz(const std::filesystem::path& out, const RitzContext& context,
                const krylov::RitzEvidence& evidence, const nlohmann::json& provenance);

}  // namespace ritzflow::spectrum
