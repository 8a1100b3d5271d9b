#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "krylov/process/linear_operator.h"
#include "model/autodiff/param_space.h"

namespace ritzflow::curvature {

/// A range [first, first + count) of coordinates.
struct IndexRange {
  int64_t first;
  int64_t count;
};

/// The coordinates of the parameters that `globs` select, in order. A glob (fnmatch: * ? [...]) adds the
/// parameters whose names match it, `!glob` takes them away afterwards; with `!` alone all others are
/// selected. Throws InputError that lists the names if a glob matches none or nothing is left.
std::vector<IndexRange> select_parameters(const model::ParamSpace& space,
                                          const std::vector<std::string>& globs);

/// The principal sub-block P A P' of A on the coordinates `ranges`, with P their rows of the identity:
/// curvature with all other parameters held fixed.
std::unique_ptr<krylov::LinearOperator> make_restriction(std::shared_ptr<krylov::LinearOperator> full,
                                                         std::vector<IndexRange> ranges);

}  // namespace ritzflow::curvature
