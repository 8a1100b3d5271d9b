#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "curvature/kfac/kfac_factors.h"
#include "curvature/operators/restriction.h"
#include "model/autodiff/param_space.h"
#include "model/autodiff/taps.h"

namespace ritzflow::curvature {

/// One Kronecker factor of one tap: A of the inputs `range`, or G of the outputs `range`.
struct FactorPlace {
  bool is_input;
  size_t tap;
  IndexRange range;
};

/// A layer to collect, by indices into KfacPlan::factors. Parts of a layer share factors.
struct LayerPlan {
  KroneckerLayer layer;  ///< without eigenpairs
  size_t a, g;
};

/// Which factors a model has.
struct KfacPlan {
  std::vector<LayerPlan> layers;
  std::vector<FactorPlace> factors;
};

struct PlanOptions {
  bool split_qkv = false;     ///< a fused query, key and value are three layers that share their input
  int64_t max_factor = 8192;  ///< rows of a dense factor; wider ones are kept as diagonal blocks
};

/// One layer a tap; several where its output has parts and they are split, or where a factor is wider than
/// the limit and is cut into diagonal blocks of about equal size, one log line each. Throws InputError where
/// a layer is tapped twice.
KfacPlan make_kfac_plan(const model::ParamSpace& space, const model::Taps& taps, const PlanOptions& options);

}  // namespace ritzflow::curvature
