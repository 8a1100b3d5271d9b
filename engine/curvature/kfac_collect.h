#pragma once
#include <cstdint>

#include "curvature/empirical_risk.h"
#include "curvature/kfac_cotangents.h"
#include "curvature/kfac_factors.h"
#include "curvature/kfac_moments.h"

namespace ritzflow {

struct KfacOptions {
  WeightSharing sharing = WeightSharing::expand;
  CotangentOptions fisher = {};
  bool ekfac = true;          ///< a second pass for the second moments in the eigenbasis
  bool split_qkv = false;     ///< a fused query, key and value are three layers that share their input
  int64_t max_factor = 8192;  ///< layers with a wider dense factor are left uncovered
};

/// Kronecker factors of every layer that the network hands out taps of, as averages over the whole data set:
/// with W the sum of the weights, A = (1/W) sum of input moments, G = (1/W) sum over the vectors of
/// make_cotangents() of output moments (LayerMoments). Products in the compute dtype, sums in float64 in the
/// order of the batches: no bit depends on the number of threads.
KroneckerFactors collect_kfac(const EmpiricalRisk& risk, const KfacOptions& options);

}  // namespace ritzflow
