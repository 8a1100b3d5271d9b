#pragma once
#include <cstdint>
#include <string>

namespace ritzflow {

/// "is '4GB', expected bytes or a size such as 512MiB or 4GiB"; empty for a size that parse_memory() takes.
std::string not_a_size(const std::string& text);

/// "4 GiB", "512MiB", "2.5e9", a plain number of bytes. Throws InputError, which names the flag, on anything
/// else.
int64_t parse_memory(const std::string& flag, const std::string& text);

}  // namespace ritzflow
