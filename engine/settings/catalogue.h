#pragma once
#include <nlohmann/json_fwd.hpp>

namespace ritzflow {

/// Every setting of the stages: {"LanczosSettings": [{"name": "k", "type": "integer", "default": 10, ...}]}.
nlohmann::ordered_json settings_catalogue();

}  // namespace ritzflow
