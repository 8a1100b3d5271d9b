// libFuzzer target of the JSON that users and earlier runs write: any bytes are read or refused, and what was
// read survives what its users do with it, a copy and text, from which it is read again.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "artifact/json_file.h"
#include "core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto value =
        ritzflow::artifact::parse_json(std::string(reinterpret_cast<const char*>(data), size), "input");
    const nlohmann::json copy = value;
    if (ritzflow::artifact::parse_json(copy.dump(), "text of it") != value) std::abort();
  } catch (const ritzflow::InputError&) {
    // a clear refusal is a good end
  }
  return 0;
}
