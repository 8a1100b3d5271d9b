#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "curvature/kfac/kfac_factors.h"
#include "curvature/operators/restriction.h"
#include "model/autodiff/param_space.h"

namespace ritzflow::curvature {

/// How much of a model its Kronecker factors cover.
struct Coverage {
  int64_t covered_parameters = 0, total_parameters = 0;
  int64_t covered_elements = 0, total_elements = 0;
  std::vector<std::string> missing;

  /// "covered 4 of 4 parameters (100.0 %), 10 of 10 elements (100.0 %)", and the missing names.
  std::string text() const;
};

/// Throws InputError that names the parameter where layers overlap, or cover a part of it only.
Coverage coverage(const KroneckerFactors& factors, const model::ParamSpace& space);

/// The coordinates of the parameters without factors, in order; empty where all are covered.
std::vector<IndexRange> uncovered_ranges(const Coverage& coverage, const model::ParamSpace& space);

}  // namespace ritzflow::curvature
