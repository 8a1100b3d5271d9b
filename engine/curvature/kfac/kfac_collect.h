#pragma once
#include <cstdint>
#include <functional>

#include "curvature/kfac/kfac_cotangents.h"
#include "curvature/kfac/kfac_factors.h"
#include "curvature/kfac/kfac_moments.h"
#include "curvature/kfac/kfac_plan.h"
#include "problem/empirical_risk.h"

namespace ritzflow::curvature {

struct KfacOptions {
  WeightSharing sharing = WeightSharing::expand;
  CotangentOptions fisher = {};
  bool ekfac = true;  ///< a second pass for the second moments in the eigenbasis
  PlanOptions plan = {};
};

/// Where a collection stands between two micro-batches: sums over the samples so far.
struct KfacSums {
  int64_t batches = 0;                     ///< micro-batches added, those of EKFAC's pass counted last
  std::vector<SymmetricSum> factors;       ///< of KfacPlan::factors, float64
  std::vector<at::Tensor> second_moments;  ///< of EKFAC, one a layer: [out, in] float64
};

/// Kronecker factors of every layer that the network hands out taps of, as averages over the whole data set:
/// with W the sum of the weights, A = (1/W) sum of inputs' moments, G = (1/W) sum over the vectors of
/// make_cotangents() of output gradients' moments (TapMoments). Products and the sums of one micro-batch in
/// the compute dtype, sums over micro-batches in float64 and in their order: no bit depends on the number of
/// threads. `on_batch` is called after each micro-batch, one call at a time; a collection that continues
/// `from` what it was shown ends in the same bits.
KroneckerFactors collect_kfac(const problem::EmpiricalRisk& risk, const KfacOptions& options,
                              const std::function<void(const KfacSums&)>& on_batch = {}, KfacSums from = {});

}  // namespace ritzflow::curvature
