#pragma once
#include <cstdint>
#include <string>

namespace ritzflow {

/// "4 GiB", "512MiB", "2.5e9", a plain number of bytes. Throws InputError, which names the flag, on anything
/// else.
int64_t parse_memory(const std::string& flag, const std::string& text);

}  // namespace ritzflow
