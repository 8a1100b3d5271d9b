#pragma once
#include <string>

#include "artifact/schema/schema.h"

namespace ritzflow::artifact {

/// "| `alpha` | dataset | float | [m] | yes | diagonal of H |", the row of docs/formats.md.
std::string row_of(const Field& field);

}  // namespace ritzflow::artifact
