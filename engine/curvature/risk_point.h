#pragma once
#include <memory>

#include "curvature/digests.h"
#include "problem/dataset.h"
#include "problem/empirical_risk.h"
#include "settings/operator_settings.h"

namespace ritzflow::curvature {

/// The risk at a point, and the settings and digests of what it was made from.
struct RiskPoint {
  std::shared_ptr<const problem::EmpiricalRisk> risk;
  RiskSettings settings;  ///< step and batch_size as numbers
  Digests digests;
  bool whole_batch = false;  ///< samples depend on one another: the data are one micro-batch
};

/// What products with the risk are meant for.
struct RiskUse {
  int64_t compute_threads = 1;  ///< threads inside one micro-batch
  bool hessian = false;         ///< second derivatives are taken
};

/// Loads data, model and step of `settings`. Throws InputError on wrong settings or files, and where a file's
/// digest is not the one in `expected`.
RiskPoint load_risk(const RiskSettings& settings, const RiskUse& use, const Digests& expected = {});

/// Samples in a micro-batch where the user names none: about 512 rows and 2^20 input elements, at least one
/// sample, at most all. It depends on the data alone, never on the machine.
int64_t default_batch_size(const problem::Dataset& data);

}  // namespace ritzflow::curvature
