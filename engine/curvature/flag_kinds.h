#pragma once
#include <string>
#include <vector>

namespace ritzflow {

/// Throws InputError where `kind` is not a kind of operator, or where one of `given`, flags that the user
/// wrote, says nothing of operators of that kind: it would be ignored, and the result would pass for what it
/// is not.
void require_flags_apply(const std::string& kind, const std::vector<std::string>& given);

}  // namespace ritzflow
